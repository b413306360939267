"""The Vision Transformer itself, in PyTorch: its shape, its forward pass, hooks and edits."""
