"""The sections of the page "Intervene"."""
