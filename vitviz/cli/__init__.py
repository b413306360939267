"""What the command `vitviz` does: read files, look inside a model, write pictures, numbers and reports."""

DEFAULT_MODEL = "dinov2-small"
