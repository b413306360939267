"""Browser components, each with its scripts and styles."""
