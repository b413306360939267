"""Option values for the help texts, with the same meaning as in the library."""

from enum import StrEnum


class Format(StrEnum):
    """Output file formats."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"
    npz = "npz"
    html = "html"


class Fit(StrEnum):
    """Fit modes for images whose aspect ratio differs from the input, as in `vitviz.images`."""

    crop = "crop"
    squash = "squash"
    pad = "pad"
    native = "native"


class Scale(StrEnum):
    """Colour scales of attention weights, as in `vitviz.notation.view`."""

    relative = "relative"
    raw = "raw"
    uniform = "uniform"


class Pooling(StrEnum):
    """Pooling of the tokens to the feature of a linear head, as in `vitviz.zoo.heads`."""

    token = "token"
    mean = "mean"
    token_and_mean = "token+mean"
    attention = "attention"


class Labels(StrEnum):
    """Origins of the labels of a scan, as in `vitviz.scan`."""

    csv = "csv"
    folders = "folders"


class Engine(StrEnum):
    """Engines of a scan, as in `vitviz.scan`."""

    embedded = "embedded"
    ray = "ray"


class PictureFormat(StrEnum):
    """Output file formats of a comparison."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"
    npz = "npz"


class Measure(StrEnum):
    """Measures of the resemblance of two heads, as in `vitviz.analysis.comparison`."""

    cosine = "cosine"
    jensen_shannon = "jensen_shannon"
