"""Scan of a data set, the function behind `vitviz scan`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...errors.arguments import at_least, number, typed
from ...errors.progress import Progress, silent
from ...images import Size
from ...notation.extras import require
from ...trace.vision_transformer import VisionTransformer
from .reader import Scan, open_scan


@typed
def scan(
    source: str | Path,
    model: VisionTransformer,
    out: str | Path,
    *,
    labels: Literal["csv", "folders"] | None = None,
    patch_tokens: Sequence[int] = (),
    size: Size | None = None,
    fit: str | None = None,
    batch_size: int | None = None,
    shard_size: int = 1000,
    workers: int | None = None,
    resume: bool = False,
    engine: Literal["embedded", "ray"] = "embedded",
    actors: int | None = None,
    num_gpus: float | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Run a model on all images of a data set, and write features, predictions and head statistics to a folder.

    The folder has the format of docs/data-format.md. An image that cannot be read becomes a row of `errors`. After an
    interruption, even by SIGKILL, only shards that were being written are missing; `resume=True` adds them.

    Args:
        source: folder; pattern such as `"photos/**/*.jpg"`; CSV file with the column `path` and perhaps `label`; tar
            archives of WebDataset, such as `"train-{000..099}.tar"`; or Parquet files with image bytes. Addresses of
            object stores, such as `"s3://bucket/photos"`, need the package of fsspec for them.
        model: model to run.
        out: folder to write, which may be in an object store too.
        labels: `"folders"` for the first folder below the source; `"csv"` for the column `label` of a list, which must
            exist. By default the labels of the source: column `label`, .cls members of archives.
        patch_tokens: layers, from 0, whose patch tokens are written in float16; negative ones count from the end.
        size: see `Trace`; by default the model's input size, in pixels.
        fit: see `Trace`; by default the model's.
        batch_size: images in a pass; by default 8 on the CPU and 64 on GPUs.
        shard_size: images in a shard.
        workers: threads that read images; by default one for each core.
        resume: continue a scan of the same source with the same model and settings; begin if there is none.
        engine: `"embedded"` for this process, or `"ray"` for a Ray cluster, found by Ray's own settings.
        actors: processes of the cluster with the model; by default as many as its GPUs allow if they have GPUs, else
            one for every four cores.
        num_gpus: GPUs of each process of the cluster, 0 or more; by default 1 if the model is on a GPU, else 0.
        progress: called with the numbers of images done and of all images; an exception stops the scan.

    Returns:
        The complete scan.

    Raises:
        ScanError: if the source cannot be read or has no image; if the folder holds a scan, without `resume`, or a
            different one; if no image of a whole shard can be read from the source; or if the cluster has too few GPUs.
        ArgumentError: if an argument is invalid.
        ImageError: if the size or the fit is invalid.
        IndexError: if there is no such layer.
        OSError: if the folder cannot be written.
        VitvizError: if a package of the extra vitviz[data], or of vitviz[ray] for its engine, is not installed.
    """
    require("data", "A scan")
    from .plan import embedded, plan_scan
    from .ray_engine import ray_engine

    if actors is not None:
        at_least(actors, 1, "The number of actors")
    if num_gpus is not None:
        number(num_gpus, 0, math.inf, "The number of GPUs")
    run = ray_engine(actors, num_gpus) if engine == "ray" else embedded
    plan = plan_scan(
        str(source),
        model,
        str(out),
        labels=labels,
        patch_tokens=patch_tokens,
        size=size,
        fit=fit,
        batch_size=batch_size,
        num_gpus=num_gpus,
        shard_size=shard_size,
        workers=workers,
        resume=resume,
    )
    for _ in plan.run(run, progress or silent):
        pass
    return open_scan(out)
