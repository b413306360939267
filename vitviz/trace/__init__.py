"""Traces: records of forward passes, their inputs, and their files."""
