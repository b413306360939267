"""Helpers of the project that are neither library nor app."""
