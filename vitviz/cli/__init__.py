"""Command line interface `vitviz`: read images, run a model, write overlays, arrays and reports."""

DEFAULT_MODEL = "dinov2-small"
DEFAULT_THRESHOLD = 0.5  # smallest cosine similarity of a match
