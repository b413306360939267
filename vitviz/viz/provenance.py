"""Model provenance for files and reports: preprocessing and assumptions."""

from ..errors.arguments import typed
from ..trace.vision_transformer import VisionTransformer


@typed
def of_model(model: VisionTransformer) -> dict:
    """Return a model's preprocessing and assumptions as JSON-serialisable values.

    Returns:
        `"preprocessing"`, with the names and units of the options of `vitviz.load`; `"assumed"`, a list of sentences on
        settings given neither by the model's file nor by the user; and `"linear_head_sha256"`, the digest of the linear
        head, if the model has one.
    """
    head = {"linear_head_sha256": model.linear_head} if model.linear_head else {}
    return {
        "preprocessing": model.preprocessing.options,
        "assumed": list(model.notes),
        **head,
    }


@typed
def describe_model(model: VisionTransformer, title: str = "") -> str:
    """Return a model's title (by default its name) and assumptions, for the head of a report."""
    return " ".join([f"{title or model.name}.", *model.notes])


@typed
def without_advice(note: str) -> str:
    """Return a note on an assumption without the advice that follows its semicolon."""
    assumption, semicolon, _ = note.partition(";")
    return f"{assumption}." if semicolon else note
