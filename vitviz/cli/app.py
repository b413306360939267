"""Command line application, such as `vitviz attention cat.jpg -m dinov2-small -o out`.

Slow imports are made inside the commands, so that `vitviz --help` starts quickly.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import DEFAULT_MODEL
from .choices import Fit, Format, Scale


class OneLine(TyperGroup):
    """Command group that reports usage errors in one line, with exit code 2."""

    def main(self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command."""
        args = sys.argv[1:] if args is None else list(args)
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        try:
            sys.exit(super().main(args, standalone_mode=False, **extra) or 0)
        except typer.Abort:
            sys.exit(130)
        except Exception as error:
            if not hasattr(error, "format_message"):  # not a usage error
                raise
            from .console import refuse

            refuse(error.format_message(), as_json="--json" in args)
            sys.exit(2)


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


app = typer.Typer(
    cls=OneLine,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    invoke_without_command=True,
)

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


def _version(show: bool) -> None:
    if show:
        from .. import __version__

        typer.echo(f"vitviz {__version__}")
        raise typer.Exit


@app.callback()
def vitviz(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Look inside a Vision Transformer.

    Layers, heads, rows and columns count from 1 in options, file names, captions and JSON, as in the app.

    A folder stands for all images in and below it, in natural order (2 before 10). Hidden files, links to folders and
    images written by vitviz are skipped.

    File names contain the image's name and the settings that differ from the defaults. If several images share a name,
    the folder's name is added, also if the other image was processed in an earlier run. A file is only replaced by a
    result for the same image, and a report only by one that covers all its folders. Image files contain their settings
    as JSON: PNG in the text chunk "vitviz", JPEG and WebP in EXIF UserComment.

    A report is one HTML page with a thumbnail of each image, an index, a filter and sorting; it needs no network. The
    full-size images are those of --format png, jpeg or webp, or otherwise JPEGs in the folder NAME_files beside the
    page. If the page is moved alone, the links of its thumbnails no longer work.

    Ctrl-C keeps all written files, the report included; --skip-existing resumes the run.

    Exit code: 0 for success, 1 if some images failed, 2 for wrong input, 130 after Ctrl-C.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def attention(
    images: Images,
    model: Model = DEFAULT_MODEL,
    out: Out = Path(),
    layer: Annotated[str | None, typer.Option(help="Layer from 1, or pool; by default the last layer.")] = None,
    head: Annotated[str, typer.Option(help="Head from 1, or mean.")] = "mean",
    query: Annotated[str | None, typer.Option(help="Token: cls, reg1, or row-column of a patch, such as 7-9.")] = None,
    to: Annotated[bool, typer.Option("--to", help="Show the attention to the token instead of from it.")] = False,
    scale: Annotated[
        Scale, typer.Option(help="Colour scale: relative to max, raw weights, or relative to uniform attention.")
    ] = Scale.relative,
    size: Size = None,
    fit: FitOption = None,
    formats: Formats = None,
    width: Width = None,
    skip_existing: Skip = False,
    arch: Arch = None,
    classes: Classes = None,
    num_heads: NumHeads = None,
    prefix: Prefix = None,
    arch_kwargs: ArchKwargs = None,
    mean: Mean = None,
    std: Std = None,
    interpolation: Interpolation = None,
    crop_pct: CropPct = None,
    as_json: Json = False,
) -> None:
    """Attention map of a token."""
    from .attention import Attention

    analysis = Attention(layer, head, query, "to" if to else "from", scale.value)
    _run(
        "attention",
        analysis,
        images,
        model,
        (arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        (out, formats, width, skip_existing),
        size,
        fit,
        as_json,
    )


@app.command()
def tokens(
    images: Images,
    model: Model = DEFAULT_MODEL,
    out: Out = Path(),
    layer: Annotated[str | None, typer.Option(help="Layer from 1; by default the last layer.")] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Use only the foreground, selected by the first component.")
    ] = False,
    size: Size = None,
    fit: FitOption = None,
    formats: Formats = None,
    width: Width = None,
    skip_existing: Skip = False,
    arch: Arch = None,
    classes: Classes = None,
    num_heads: NumHeads = None,
    prefix: Prefix = None,
    arch_kwargs: ArchKwargs = None,
    mean: Mean = None,
    std: Std = None,
    interpolation: Interpolation = None,
    crop_pct: CropPct = None,
    as_json: Json = False,
) -> None:
    """Principal components of the patch tokens as colours, and the tokens (with --format npz)."""
    from .tokens import Tokens

    _run(
        "tokens",
        Tokens(layer, foreground),
        images,
        model,
        (arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        (out, formats, width, skip_existing),
        size,
        fit,
        as_json,
    )


@app.command()
def explain(
    images: Images,
    model: Model = DEFAULT_MODEL,
    out: Out = Path(),
    method: Annotated[
        str,
        typer.Option(
            help="Attribution method: attention, rollout, gradient_attention, legrad, integrated_gradients, occlusion, "
            "or another registered method."
        ),
    ] = "gradient_attention",
    target: Annotated[
        str | None,
        typer.Option(help="Class name or class index from 0; by default the top-1 class."),
    ] = None,
    minus: Annotated[str | None, typer.Option(help="Class to contrast the target with.")] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            help="Reference image, folder or pattern: explain the similarity to it, for models without classes; may be "
            "repeated, which averages the features.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="For attention: layer from 1, or pool; by default the last layer.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="For attention: head from 1, or mean, the default.")] = None,
    head_fusion: Annotated[str | None, typer.Option(help="For rollout: mean (the default), max or min.")] = None,
    discard_ratio: Annotated[
        float | None, typer.Option(help="For rollout: fraction of the smallest weights to discard; by default 0.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="For integrated gradients: number of steps; by default 32.")] = None,
    completeness: Annotated[
        float | None,
        typer.Option(help="For integrated gradients: tolerated relative error of the sum; by default 0.01."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="For integrated gradients (by default blur) and occlusion (by default mean): baseline, blur or mean."
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="For occlusion: side of the window in patches; by default 1.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(help="For occlusion: stride of the window in patches; by default 1.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Any other parameter of the method; may be repeated.", show_default=False
        ),
    ] = None,
    size: Size = None,
    fit: FitOption = None,
    formats: Formats = None,
    width: Width = None,
    skip_existing: Skip = False,
    arch: Arch = None,
    classes: Classes = None,
    num_heads: NumHeads = None,
    prefix: Prefix = None,
    arch_kwargs: ArchKwargs = None,
    mean: Mean = None,
    std: Std = None,
    interpolation: Interpolation = None,
    crop_pct: CropPct = None,
    as_json: Json = False,
) -> None:
    """Attribution map of the model's output."""
    from .explain import Explain

    parameters = {
        "layer": layer,
        "head": head,
        "head_fusion": head_fusion,
        "discard_ratio": discard_ratio,
        "steps": steps,
        "completeness": completeness,
        "baseline": baseline,
        "window": window,
        "stride": stride,
    }
    more = tuple(parameter or ())
    analysis = Explain(method, target, minus, tuple(like or ()), parameters, size, fit and fit.value, more)
    _run(
        "explain",
        analysis,
        images,
        model,
        (arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        (out, formats, width, skip_existing),
        size,
        fit,
        as_json,
    )


MORE = ("arch_kwargs", "mean", "std", "interpolation", "crop_pct")  # checkpoint options after the first four


def _run(command: str, analysis, images, model, options, writes, size, fit, as_json: bool) -> None:
    from .run import Options, Task, run

    out, formats, width, skip = writes
    default = Format.html if out.suffix == ".html" and not out.is_dir() else Format.png
    kinds = tuple(dict.fromkeys(kind.value for kind in formats or [default]))
    options = Options(*options[:4], dict(zip(MORE, options[4:], strict=True)))
    task = Task(command, images, model, options, out, kinds, size, fit and fit.value, as_json, width, skip)
    raise typer.Exit(run(task, analysis))
