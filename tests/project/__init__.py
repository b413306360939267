"""Tests of the project: layout, documents, shipped files."""
