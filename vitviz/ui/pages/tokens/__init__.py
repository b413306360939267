"""The sections of the page "Tokens"."""
