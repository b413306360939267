"""Linear classifiers on features of a model: fitting, cross-validation, and signs of a shortcut."""

from .cross_validation import CrossValidation, cross_validate
from .features import features
from .fitting import Fitted, fit, fit_head
from .shortcuts import appearance, nearest_other, notes_on

__all__ = [
    "CrossValidation",
    "Fitted",
    "appearance",
    "cross_validate",
    "features",
    "fit",
    "fit_head",
    "nearest_other",
    "notes_on",
]
