"""Benchmarks of `make bench` and `make load`. They are not tests, because timings depend on the machine."""
