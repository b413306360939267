"""Computations of the two lesson pages in plain numpy, compared with the model's own results."""
