"""Statements of files and reports about the model that made them: its preprocessing, and what was assumed of it."""

from ..errors.arguments import typed
from ..trace.vision_transformer import VisionTransformer


@typed
def of_model(model: VisionTransformer) -> dict:
    """Preprocessing of a model, and what was assumed of it, as JSON can hold it.

    Args:
        model: a model.

    Returns:
        `"preprocessing"`, with the names and units of the options of `vitviz.load`; and `"assumed"`, sentences on what
        neither the model's file nor its user has told, an empty list if that is nothing.
    """
    used = model.preprocessing
    return {
        "preprocessing": {
            "mean": list(used.mean),
            "std": list(used.std),
            "interpolation": used.interpolation,
            "crop_pct": used.crop_fraction,
            "fit": used.fit,
        },
        "assumed": list(model.notes),
    }


@typed
def about_model(model: VisionTransformer, title: str = "") -> str:
    """Sentences on a model for the head of a report: its name or title, and what was assumed of it."""
    return " ".join([f"{title or model.name}.", *model.notes])


@typed
def in_short(note: str) -> str:
    """Sentence on what was assumed, without the advice that follows its semicolon."""
    what, semicolon, _ = note.partition(";")
    return f"{what}." if semicolon else note
