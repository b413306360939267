"""Notation of layers, heads, tokens, views and edits in links, file names and on the command line."""
