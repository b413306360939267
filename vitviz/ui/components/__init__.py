"""Components that run in the browser, each with its scripts and styles."""
