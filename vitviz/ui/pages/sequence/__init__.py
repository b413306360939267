"""The sections of the page "Image to sequence"."""
