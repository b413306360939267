"""Arithmetic of the two lesson pages, in plain numpy beside the model's own numbers."""
