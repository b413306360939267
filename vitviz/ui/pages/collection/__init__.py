"""The sections of the page "Collection"."""
