"""The sections of each page, by the name of the page."""
