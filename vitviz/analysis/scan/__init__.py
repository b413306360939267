"""Measurements of many images, as `vitviz scan` writes them; docs/data-format.md describes the files."""
