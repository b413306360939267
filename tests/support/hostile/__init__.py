"""Hostile files, links and messages, made by code, and limits on the time and memory of reading them."""
