"""Exceptions of vitviz. Each message is one sentence: the problem, and how to solve it."""


class VitvizError(Exception):
    """Base class of all errors that a caller can cause. The message can be shown to users."""


class ArgumentError(VitvizError, ValueError):
    """Argument of the wrong type or out of range; also a `ValueError`, as in Python's own functions.

    Indices of layers, heads, tokens and the like that are out of range raise an `IndexError` instead.
    """


class ImageError(VitvizError):
    """Invalid image: not an image, damaged, too large, or with an invalid size or fit.

    Attributes:
        index: position of the image in the images given to `vitviz.trace_batch`, from 0; None elsewhere.
    """

    index: int | None = None


class ModelError(VitvizError):
    """Model that cannot be loaded, or that vitviz does not support."""


class HookError(VitvizError):
    """Hook point that no forward pass reached, or invalid edit function of a hook point."""


class EditError(VitvizError):
    """Edit that does not fit the model, or text that is not a valid edit."""


class TraceError(VitvizError):
    """Trace that cannot be saved or opened, or that was made by another model."""


class ScanError(VitvizError):
    """Source that cannot be scanned, or scan that cannot be written, continued or opened."""


class VitvizWarning(UserWarning):
    """Assumption about something that a caller or a file did not specify: one sentence, saying how to specify it."""
