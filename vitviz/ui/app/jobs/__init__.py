"""Slow work: a queue that all users share, the time it takes, and how a page asks for it and shows how far it is."""
