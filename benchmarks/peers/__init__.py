"""Benchmarks of `make bench-peers`: vitviz compared with other tools, each in its own virtual environment."""
