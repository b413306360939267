"""Choices of options, for the help of the command; their meaning is that of the library."""

from enum import StrEnum


class Format(StrEnum):
    """What can be written."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"
    npz = "npz"
    html = "html"


class Fit(StrEnum):
    """How an image that is not square fits; those of `vitviz.images`."""

    crop = "crop"
    squash = "squash"
    pad = "pad"
    native = "native"


class Scale(StrEnum):
    """How attention weights become colours; those of `vitviz.view`."""

    share = "share"
    raw = "raw"
    uniform = "uniform"
