"""Traces: the record of one forward pass, its inputs, and how it is saved."""
