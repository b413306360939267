"""Command line application, such as `vitviz attention cat.jpg -m dinov2-small -o out`.

Slow imports are made inside the commands, so that `vitviz --help` starts quickly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import VitvizError
from . import DEFAULT_MODEL
from .arguments import (
    Arch,
    ArchKwargs,
    Classes,
    CropPct,
    FitOption,
    Formats,
    ImageFolder,
    Images,
    Interactive,
    Interpolation,
    Json,
    Layers,
    LinearHead,
    Linked,
    Mean,
    Model,
    NumHeads,
    OpeningModel,
    Out,
    Prefix,
    Size,
    Skip,
    Std,
    Width,
)
from .choices import Pooling, Scale
from .compare_command import compare
from .dispatch import run as _run
from .dispatch import teach as _teach
from .one_line import OneLine
from .scan_command import scan

app = typer.Typer(
    cls=OneLine,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    invoke_without_command=True,
)


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
    linear_head: LinearHead = None,
    out: Out = Path(),
    layer: Annotated[str | None, typer.Option(help="Layer from 1, or pool; by default the last layer.")] = None,
    head: Annotated[str, typer.Option(help="Head from 1, or mean.")] = "mean",
    query: Annotated[
        str | None, typer.Option(help="Token: cls, reg1, row-column of a patch, such as 7-9, or patches: 2..4-3..6.")
    ] = None,
    to: Annotated[bool, typer.Option("--to", help="Show the attention to the token instead of from it.")] = False,
    scale: Annotated[
        Scale, typer.Option(help="Colour scale: relative to max, raw weights, or relative to uniform attention.")
    ] = Scale.relative,
    interactive: Interactive = False,
    layers: Layers = None,
    linked: Linked = False,
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

    _run(
        "attention",
        Attention(layer, head, query, "to" if to else "from", scale.value),
        images,
        model,
        (linear_head, arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        (out, formats, width, skip_existing),
        size,
        fit,
        as_json,
        (interactive, layers, linked),
    )


@app.command()
def tokens(
    images: Images,
    model: Model = DEFAULT_MODEL,
    linear_head: LinearHead = None,
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
        (linear_head, arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        (out, formats, width, skip_existing),
        size,
        fit,
        as_json,
    )


@app.command()
def explain(
    images: Images,
    model: Model = DEFAULT_MODEL,
    linear_head: LinearHead = None,
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
        (linear_head, arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        (out, formats, width, skip_existing),
        size,
        fit,
        as_json,
    )


@app.command()
def teach(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Folder with one subfolder for each class, which has the name of the class; all images in and below a "
            "subfolder belong to its class.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="File of the head, which ends in .safetensors.")],
    model: Model = DEFAULT_MODEL,
    pooling: Annotated[
        Pooling | None,
        typer.Option(
            help="Feature of an image: class token, mean of the patches, both, or attention pooling; by default the "
            "model's."
        ),
    ] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="Fit one binary classifier for each class instead of one for all.")
    ] = False,
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Store small pictures of the images in the file of the head.")
    ] = False,
    size: Size = None,
    fit: FitOption = None,
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
        bool, typer.Option("--json", help="Print one line of JSON per image, and a last one on the head.")
    ] = False,
) -> None:
    """Teach a model your own classes: fit a linear head on its features, and estimate the accuracy.

    The other commands, the app and vitviz.load use the head with the model that it was fitted on (--linear-head).
    """
    _teach(
        (None, arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        folder=folder,
        out=out,
        model=model,
        size=size,
        fit=fit and fit.value,
        pooling=pooling and pooling.value,
        binary=binary,
        thumbnails=thumbnails,
        as_json=as_json,
    )


app.command()(compare)
app.command()(scan)


@app.command("app")
def start(
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- OPTIONS]",
            help="Further options of `streamlit run`, after two dashes, such as -- --theme.base dark.",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str,
        typer.Option(
            help="Address to listen on; by default, only this machine can open the app. With 0.0.0.0, everybody in the "
            "network can: it has no passwords."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port; by default 8501, or the next free one.", show_default=False),
    ] = None,
    model: OpeningModel = None,
    images: ImageFolder = None,
) -> None:
    """Start the app in the browser, until Ctrl-C."""
    from .serve import serve

    try:
        serve(address, port, options or (), model, images)
    except VitvizError as error:
        from .console import refuse

        refuse(str(error), as_json=False)
        raise typer.Exit(2) from error


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with all checks.")] = False,
) -> None:
    """Check the installation: versions, shipped models, memory, disk, downloads and settings.

    Exit code: 0 if no check failed, 1 otherwise.
    """
    from .doctor import run

    raise typer.Exit(run(as_json))
