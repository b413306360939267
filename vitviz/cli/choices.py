"""Choices of options, for the help of the command; their meaning is that of the library."""

from enum import StrEnum


class Format(StrEnum):
    """Kinds of files that can be written."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"
    npz = "npz"
    html = "html"


class Fit(StrEnum):
    """Ways to fit an image that is not square; those of `vitviz.images`."""

    crop = "crop"
    squash = "squash"
    pad = "pad"
    native = "native"


class Scale(StrEnum):
    """Ways to turn attention weights into colours; those of `vitviz.notation.view`."""

    relative = "relative"
    raw = "raw"
    uniform = "uniform"
