"""Vision Transformer in PyTorch: configuration, forward pass, hook points and edits."""
