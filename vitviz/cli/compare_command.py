"""Arguments and options of the command `vitviz compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import DEFAULT_MODEL, DEFAULT_THRESHOLD
from .arguments import (
    Arch,
    ArchKwargs,
    Classes,
    CropPct,
    FitOption,
    Images,
    Interpolation,
    Mean,
    NumHeads,
    Prefix,
    Size,
    Std,
    Width,
)
from .choices import Measure, PictureFormat
from .dispatch import compare as _compare


def compare(
    images: Images,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            help=f"Shipped model, pretrained timm model, or path of a checkpoint; by default {DEFAULT_MODEL}. Twice to "
            "compare two models.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder.")] = Path(),
    layer: Annotated[
        str | None, typer.Option(help="Layer from 1, of the first model; by default the last layer.")
    ] = None,
    head: Annotated[str, typer.Option(help="Two models: head from 1 of the first model's layer.")] = "1",
    measure: Annotated[
        Measure,
        typer.Option(
            help="Two models: resemblance of heads, cosine similarity or Jensen-Shannon divergence of their attention."
        ),
    ] = Measure.cosine,
    threshold: Annotated[
        float, typer.Option(min=-1, max=1, help="Two images: smallest cosine similarity of a match.")
    ] = DEFAULT_THRESHOLD,
    size: Size = None,
    fit: FitOption = None,
    formats: Annotated[
        list[PictureFormat] | None,
        typer.Option(
            "--format",
            help="Picture (png, the default, jpeg or webp) or arrays (npz); may be repeated.",
            show_default=False,
        ),
    ] = None,
    width: Width = None,
    arch: Arch = None,
    classes: Classes = None,
    num_heads: NumHeads = None,
    prefix: Prefix = None,
    arch_kwargs: ArchKwargs = None,
    mean: Mean = None,
    std: Std = None,
    interpolation: Interpolation = None,
    crop_pct: CropPct = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; layers and heads count from 1.")
    ] = False,
) -> None:
    """Compare two images in one model, or two models on the same images.

    Two images and one model: mutual nearest neighbours among the patches, by cosine similarity after a layer.

    Two models, with -m given twice: linear CKA of all layers on all images, and on the first image, the heads of the
    second model that resemble a head of the first. For two checkpoints of one architecture, such as before and after
    fine-tuning, also what changed most: attention, tokens, weights and output.

    Options of checkpoints apply to both models.

    Exit code: 0 for success, 2 if the input is wrong or an image cannot be read, 130 after Ctrl-C.
    """
    _compare(
        (None, arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        images=images,
        models=tuple(models or [DEFAULT_MODEL]),
        out=out,
        layer=layer,
        head=head,
        measure=measure.value,
        threshold=threshold,
        size=size,
        fit=fit and fit.value,
        formats=tuple(dict.fromkeys(kind.value for kind in formats or [PictureFormat.png])),
        width=width,
        as_json=as_json,
    )
