"""The command `vitviz`: `vitviz attention cat.jpg -m dinov2-small -o out`.

What takes time to import is imported by the command that needs it, so that `vitviz --help` answers at once.
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
    """Commands whose wrong use is answered by one plain line, and exit code 2."""

    def main(self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command that the arguments name."""
        args = sys.argv[1:] if args is None else list(args)
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        try:
            sys.exit(super().main(args, standalone_mode=False, **extra) or 0)
        except typer.Abort:
            sys.exit(130)
        except Exception as error:
            if not hasattr(error, "format_message"):  # not a wrong use
                raise
            from .console import refuse

            refuse(error.format_message(), as_json="--json" in args)
            sys.exit(2)


def _size(text: str) -> int | tuple[int, int]:
    from ..notation.marks import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a size: it can be {error}.") from error


def _width(text: str) -> int:
    from .result import NARROWEST, WIDEST

    if not (text.isascii() and text.isdecimal() and len(text) < 9 and NARROWEST <= int(text) <= WIDEST):
        raise typer.BadParameter(f"{text!r} is not a width: it can be {NARROWEST} to {WIDEST} pixels.")
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
        help="Image files; folders, which stand for all images in and below them; or patterns in quotes, such as "
        "'photos/**/*.jpg'.",
        show_default=False,
    ),
]
Model = Annotated[
    str, typer.Option("-m", "--model", help="A shipped model, a pretrained one of timm, or the path of a checkpoint.")
]
Arch = Annotated[
    str | None, typer.Option(help="timm's name of a checkpoint's architecture, where its file does not tell.")
]
Classes = Annotated[
    str | None,
    typer.Option(help="A checkpoint's class names: a text file, one name a line; 0 leaves the classifier out."),
]
NumHeads = Annotated[int | None, typer.Option(help="Attention heads of a checkpoint, if its file does not state them.")]
Prefix = Annotated[
    str | None, typer.Option(help="What the keys of the wanted model begin with, where a checkpoint holds several.")
]
ArchKwargs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Argument of timm's create_model for a checkpoint's architecture, as global_pool=avg; may be repeated.",
        show_default=False,
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS",
        help="Mean that a checkpoint was trained with, for pixels from 0 to 1: one number, or one a channel, as "
        "0.485,0.456,0.406.",
    ),
]
Std = Annotated[
    str | None, typer.Option(metavar="NUMBERS", help="Standard deviation that a checkpoint was trained with, alike.")
]
Interpolation = Annotated[
    str | None, typer.Option(help="Resampling that a checkpoint was trained with, as bicubic or bilinear.")
]
CropPct = Annotated[
    float | None, typer.Option(help="Part of the resized image that a checkpoint's centre crop keeps, as 0.9.")
]
Out = Annotated[
    Path, typer.Option("-o", "--out", help="Folder to write to, or the report's file, which ends in .html.")
]
Formats = Annotated[
    list[Format] | None,
    typer.Option(
        "--format",
        help="A picture of each image (png, the default, jpeg or webp), its numbers (npz), or one report of all "
        "images (html); may be repeated.",
        show_default=False,
    ),
]
Width = Annotated[
    int | None,
    typer.Option(
        parser=_width,
        metavar="PIXELS",
        help="Width of the pictures, 200 to 4096; by default their longer side is 960, with room for the caption.",
        show_default=False,
    ),
]
Skip = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Leave out images whose files are all there and newer than image and model; a report takes them over.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        parser=_size,
        metavar="SIZE",
        help="Side of the model's input in pixels, or height x width, as 96x192; by default the model's own.",
    ),
]
FitOption = Annotated[
    Fit | None, typer.Option("--fit", help="How an image that is not square fits; by default the model's own way.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object per image and line, for machines; it counts from 1, too.")
]


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(f"vitviz {__version__}")
        raise typer.Exit


@app.callback()
def vitviz(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Look inside a Vision Transformer.

    Layers, heads, rows and columns count from 1, as in the app: in options, file names, captions and JSON.

    A folder stands for the images in it and in all folders below it, in natural order (2 before 10). Hidden files,
    links to folders and pictures that vitviz wrote are left out.

    Files are named after the image and what differs from the default, so another question writes other files. Images
    of one name get the names of their folders before it, also where an earlier run has written about an image of
    another folder, whose files stay: a file is replaced only by one about the same image, and a report only by one
    that covers all its folders. Pictures carry their settings as JSON: PNG in the text "vitviz", JPEG and WebP in
    EXIF's UserComment.

    A report is one page with a small picture of each image, an index, a filter and a sorting; it needs no network.
    The full pictures are files: those of --format png, jpeg or webp, or else JPEGs in a folder beside the page, called
    NAME_files. The page may be moved alone; then its small pictures open nothing.

    Ctrl-C keeps what is written, the report included; --skip-existing goes on from there.

    Exit code: 0 if all went well, 1 if some images could not be used, 2 for wrong input, 130 after Ctrl-C.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def attention(
    images: Images,
    model: Model = DEFAULT_MODEL,
    out: Out = Path(),
    layer: Annotated[str | None, typer.Option(help="From 1, or pool; the last one by default.")] = None,
    head: Annotated[str, typer.Option(help="From 1, or mean.")] = "mean",
    query: Annotated[
        str | None, typer.Option(help="Which token looks: cls, reg1, or row-column of a patch, as 7-9.")
    ] = None,
    to: Annotated[bool, typer.Option("--to", help="Turn the question round: who looks at that token?")] = False,
    scale: Annotated[Scale, typer.Option(help="How weights become colours.")] = Scale.relative,
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
    """Where a token of each image looks."""
    from .attention import Attention

    question = Attention(layer, head, query, "to" if to else "from", scale.value)
    _run(
        "attention",
        question,
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
    layer: Annotated[str | None, typer.Option(help="From 1; the last one by default.")] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Only of the foreground, told apart by the first component.")
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
    """The tokens of each image: their principal components as colours, and the numbers (with --format npz)."""
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
            help="attention, rollout, gradient_attention, legrad, integrated_gradients, occlusion, or another that is "
            "registered."
        ),
    ] = "gradient_attention",
    target: Annotated[
        str | None,
        typer.Option(help="A class, by its name or its number from 0; the likeliest by default."),
    ] = None,
    minus: Annotated[str | None, typer.Option(help="A class that the target is compared with.")] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            help="An image: explain what makes the others like it; for models without classes. "
            "May be repeated, and be a folder or a pattern: then their mean.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Of attention: from 1, or pool; the last by default.")] = None,
    head: Annotated[str | None, typer.Option(help="Of attention: from 1, or mean, the default.")] = None,
    head_fusion: Annotated[str | None, typer.Option(help="Of rollout: mean (the default), max or min.")] = None,
    discard_ratio: Annotated[
        float | None, typer.Option(help="Of rollout: the share of weights left out, the smallest ones; 0 by default.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Of integrated gradients: how many; 32 by default.")] = None,
    completeness: Annotated[
        float | None,
        typer.Option(help="Of integrated gradients: the share that their sum may miss; 0.01 by default."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Of integrated gradients and occlusion: what stands for nothing, blur or mean; "
            "by default blur for the first, mean for the second."
        ),
    ] = None,
    window: Annotated[int | None, typer.Option(help="Of occlusion: the cover's side in patches; by default 1.")] = None,
    stride: Annotated[
        int | None, typer.Option(help="Of occlusion: by how many patches the cover is moved; by default 1.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, any other parameter of the method; may be repeated.", show_default=False),
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
    """Which patches of each image mattered for what the model made of it."""
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
    question = Explain(method, target, minus, tuple(like or ()), parameters, size, fit and fit.value, more)
    _run(
        "explain",
        question,
        images,
        model,
        (arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        (out, formats, width, skip_existing),
        size,
        fit,
        as_json,
    )


MORE = ("arch_kwargs", "mean", "std", "interpolation", "crop_pct")  # options of a checkpoint after the first four


def _run(command: str, question, images, model, options, writes, size, fit, as_json: bool) -> None:
    from .run import Options, Task, run

    out, formats, width, skip = writes
    usual = Format.html if out.suffix == ".html" and not out.is_dir() else Format.png
    kinds = tuple(dict.fromkeys(kind.value for kind in formats or [usual]))
    options = Options(*options[:4], dict(zip(MORE, options[4:], strict=True)))
    task = Task(command, images, model, options, out, kinds, size, fit and fit.value, as_json, width, skip)
    raise typer.Exit(run(task, question))
