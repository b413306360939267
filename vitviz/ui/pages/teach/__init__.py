"""Sections of the page "Teach"."""
