"""Colour maps, overlays, charts and files for download."""
