"""Pictures and figures: colours, overlays, charts, and files to take home."""
