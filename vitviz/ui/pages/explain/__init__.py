"""The sections of the page "Explain": targets, maps of all attribution methods, and their faithfulness."""
