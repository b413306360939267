"""Benchmarks of `make bench` and `make load`. They are no tests, because timings depend on the machine."""
