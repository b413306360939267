"""What `make bench` prints: how fast vitviz is. A report, not a test: timings depend on the machine."""
