"""Models, files and helpers that tests build on."""
