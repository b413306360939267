"""What the page "Explain" is made of: targets, maps of all methods side by side, and which of them to believe."""
