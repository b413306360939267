"""Arguments and options of the command `vitviz scan`."""

from __future__ import annotations

from typing import Annotated

import typer

from . import DEFAULT_MODEL
from .arguments import (
    Arch,
    ArchKwargs,
    Classes,
    CropPct,
    FitOption,
    Interpolation,
    LinearHead,
    Mean,
    Model,
    NumHeads,
    Prefix,
    Size,
    Std,
)
from .choices import Engine, Labels
from .dispatch import scan as _scan


def scan(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Folder; quoted pattern such as 'photos/**/*.jpg'; CSV file with the column path, and perhaps label; "
            "WebDataset archives such as 'train-{000..099}.tar'; or Parquet files with image bytes. Addresses such as "
            "s3://bucket/photos need the package of fsspec for them.",
            show_default=False,
        ),
    ],
    out: Annotated[str, typer.Option("-o", "--out", help="Folder of the scan, which may be an address, too.")],
    model: Model = DEFAULT_MODEL,
    linear_head: LinearHead = None,
    labels: Annotated[
        Labels | None,
        typer.Option(
            help="Labels: the first folder below the source, or the column label of a list. By default what the source "
            "has: a column label, or .cls members.",
            show_default=False,
        ),
    ] = None,
    patch_tokens: Annotated[
        str | None,
        typer.Option(metavar="LAYERS", help="Also write the patch tokens of these layers, such as 6,12, in float16."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the scan in the folder; begin if there is none.")
    ] = False,
    engine: Annotated[Engine, typer.Option(help="Run in this process, or on a Ray cluster.")] = Engine.embedded,
    actors: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes of the Ray cluster with the model; by default as many as its GPUs allow if they have GPUs, "
            "else one for every four cores.",
            show_default=False,
        ),
    ] = None,
    num_gpus: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="GPUs of each process of the Ray cluster; by default 1 if VITVIZ_DEVICE is a GPU, else 0.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images in a pass; by default 8 on the CPU, 64 on GPUs.", show_default=False),
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Images in a file of the result.")] = 1000,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads that read images; by default one for each core.", show_default=False),
    ] = None,
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
        bool, typer.Option("--json", help="Print one line of JSON per shard and per error, and a last one on the scan.")
    ] = False,
) -> None:
    """Run a model on all images of a data set, and write features, predictions and head statistics as Parquet files.

    The page Collection of the app, pandas, polars and DuckDB open the result. Images that cannot be read become rows of
    errors.parquet.

    Exit code: 0 for success, 1 if some images could not be read, 2 if none could or the input is wrong, 130 after
    Ctrl-C. Whatever ends the command, --resume continues.
    """
    _scan(
        (linear_head, arch, classes, num_heads, prefix, arch_kwargs, mean, std, interpolation, crop_pct),
        source=source,
        out=out,
        model=model,
        labels=labels and labels.value,
        patch_tokens=patch_tokens,
        resume=resume,
        engine=engine.value,
        actors=actors,
        num_gpus=num_gpus,
        batch_size=batch_size,
        shard_size=shard_size,
        workers=workers,
        size=size,
        fit=fit and fit.value,
        as_json=as_json,
    )
