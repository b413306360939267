"""What can go wrong because of what a caller gave us: one plain sentence each, saying what to do."""


class VitvizError(Exception):
    """Anything that a caller of vitviz can do wrong. The message is fit to be shown to a visitor."""


class ArgumentError(VitvizError, ValueError):
    """An argument is of the wrong kind, or outside what it can be; a `ValueError` as well, as Python's own calls have.

    Layers, heads, tokens and other things that are counted raise an `IndexError` where they are out of range.
    """


class ImageError(VitvizError):
    """The image cannot be used: not an image, damaged, too large, or an impossible size or fit."""


class ModelError(VitvizError):
    """The model cannot be loaded, or cannot be represented exactly."""


class HookError(VitvizError):
    """A hook point was asked for that the forward pass never reached."""


class EditError(VitvizError):
    """An edit of a forward pass that this model cannot have, or a text that names none."""


class TraceError(VitvizError):
    """A saved trace cannot be written or read, or is not one of the given model."""


class VitvizWarning(UserWarning):
    """Assumption where a caller or a file left something open: one plain sentence, saying what to do."""
