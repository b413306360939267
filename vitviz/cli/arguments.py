"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .choices import Fit, Format


def _size(text: str) -> int | tuple[int, int]:
    from ..notation.marks import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a size; use {error}.") from error


def _width(text: str) -> int:
    from .result import MAX_WIDTH, MIN_WIDTH

    if not (text.isascii() and text.isdecimal() and len(text) < 9 and MIN_WIDTH <= int(text) <= MAX_WIDTH):
        raise typer.BadParameter(f"{text!r} is not a width; use {MIN_WIDTH} to {MAX_WIDTH} pixels.")
    return int(text)


Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE",
        help="Image files, folders (all images in and below them), or quoted patterns such as 'photos/**/*.jpg'.",
        show_default=False,
    ),
]
Model = Annotated[
    str, typer.Option("-m", "--model", help="Shipped model, pretrained timm model, or path of a checkpoint.")
]
OpeningModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Model with which the app opens: a shipped model, one that was downloaded before, or a checkpoint in "
        "VITVIZ_CHECKPOINT_DIR; by default VITVIZ_MODEL, or dinov2-small.",
        show_default=False,
    ),
]
ImageFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of images that all users can choose, beside the samples: the first 24, up to 20 MB each; by "
        "default VITVIZ_IMAGES.",
        show_default=False,
    ),
]
LinearHead = Annotated[
    Path | None,
    typer.Option(
        "--linear-head",
        metavar="FILE",
        help="Linear head that replaces the classifier of the model, a file written by vitviz teach or the app.",
        show_default=False,
    ),
]
Arch = Annotated[str | None, typer.Option(help="Architecture of a checkpoint in timm, if missing in its file.")]
Classes = Annotated[
    str | None,
    typer.Option(help="Class names of a checkpoint: a text file with one name per line; 0 drops the classifier."),
]
NumHeads = Annotated[
    int | None, typer.Option(help="Number of attention heads of a checkpoint, if missing in its file.")
]
Prefix = Annotated[str | None, typer.Option(help="Prefix of the model's keys, for a checkpoint with several models.")]
ArchKwargs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Argument of timm's create_model for a checkpoint, such as global_pool=avg; may be repeated.",
        show_default=False,
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS",
        help="Mean of a checkpoint's preprocessing, for pixels from 0 to 1: one number, or one per channel, such as "
        "0.485,0.456,0.406.",
    ),
]
Std = Annotated[
    str | None, typer.Option(metavar="NUMBERS", help="Standard deviation of a checkpoint's preprocessing, like --mean.")
]
Interpolation = Annotated[
    str | None, typer.Option(help="Interpolation of a checkpoint's preprocessing, such as bicubic or bilinear.")
]
CropPct = Annotated[
    float | None, typer.Option(help="Fraction of the image kept by a checkpoint's centre crop, such as 0.9.")
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Output folder, or the file of a report, which ends in .html.")]
Formats = Annotated[
    list[Format] | None,
    typer.Option(
        "--format",
        help="Overlay per image (png, the default, jpeg or webp), arrays per image (npz), or one report on all images "
        "(html); may be repeated.",
        show_default=False,
    ),
]
Width = Annotated[
    int | None,
    typer.Option(
        parser=_width,
        metavar="PIXELS",
        help="Width of output images, 200 to 4096; by default the longer side is 960, and the width at least 480.",
        show_default=False,
    ),
]
Skip = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Skip images whose files all exist and are newer than image and model; a report keeps them.",
    ),
]
Interactive = Annotated[
    bool,
    typer.Option(
        "--interactive",
        help="Write the attention explorer of each image: an HTML file that computes the attention of every head for "
        "the patch under the pointer, without a network.",
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(
        metavar="LAYERS",
        help="For --interactive: layers that follow the pointer, such as 9,12, or all; by default all of a small "
        "input, and else the layer with which it opens.",
        show_default=False,
    ),
]
Linked = Annotated[
    bool,
    typer.Option(
        "--linked",
        help="For --interactive: include the tokens of these layers, and open with linked views, their similarity and "
        "principal components. At 224 pixels, this adds half of the size.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        parser=_size,
        metavar="SIZE",
        help="Input size in pixels: the side of a square, or height x width, such as 96x192; by default the model's.",
    ),
]
FitOption = Annotated[
    Fit | None, typer.Option("--fit", help="Fit mode for images of another aspect ratio; by default the model's.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one line of JSON per image; layers, heads, rows and columns count from 1.")
]
