"""Notation and labels of layers, heads, tokens, views and edits, for links, files, the screen and the command line."""
