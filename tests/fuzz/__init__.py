"""Properties that hold for any input: broken files, links and messages, drawn by hypothesis."""
