"""Scan of a source: what is to be done, and the order of the steps."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import ArgumentError, ImageError, ScanError
from ...errors.arguments import at_least, checked_index, each_of_kind, one_of, shown, whole
from ...errors.progress import Progress
from ...images import FITS, Size, check_size
from ...trace.inputs import default_size
from ...trace.vision_transformer import VisionTransformer
from .about import COMPLETE, RUNNING, check_same, description, now, read_about, write_about
from .folder import Folder
from .loading import Input
from .schema import ABOUT, ERRORS, ERRORS_FILE, ERRORS_KEY, images_file, shard_of
from .sources import Labels, open_source
from .worker import Engine, Settings, Shard, Worker

CPU_BATCH_SIZE, GPU_BATCH_SIZE = 8, 64  # images in a pass of the model
MOST_WORKERS = 1000  # threads


@dataclass
class Plan:
    """Scan that can be run.

    Attributes:
        worker: function that writes shards.
        about: content of `run.json`.
        count: number of images of the source.
        missing: shards that are to be written, ascending.
        failed: number of images that could not be read, in all shards.
    """

    worker: Worker
    about: dict[str, Any]
    count: int
    missing: list[int]
    failed: int = 0

    @property
    def done(self) -> int:
        """Number of images in the shards that are complete before the run."""
        size, last = self.worker.settings.shard_size, -(-self.count // self.worker.settings.shard_size) - 1
        short = (last + 1) * size - self.count
        missing = len(self.missing) * size - (short if last in self.missing else 0)
        return self.count - missing

    def run(self, engine: Engine, progress: Progress) -> Iterator[Shard]:
        """Write the missing shards and yield each when it is complete; then complete the scan.

        Args:
            engine: function that runs the worker.
            progress: called with the numbers of images done and of all images.
        """
        folder, began, before = self.worker.folder, time.monotonic(), self.done
        done = before

        def count(images: int) -> None:
            nonlocal done
            done += images
            progress(done, self.count)

        write_about(folder, self.about | {"state": RUNNING, "finished": None, "rate": None})
        progress(done, self.count)
        yield from engine(self.worker, self.missing, count)
        seconds = time.monotonic() - began
        self.failed = _write_errors(folder, self._shards())
        rate = (done - before) / seconds if done > before else self.about["rate"]
        end = {"state": COMPLETE, "finished": now(), "rate": rate, "label_names": self._label_names()}
        write_about(folder, self.about | end)
        folder.remove_parts()

    def _shards(self) -> range:
        return range(-(-self.count // self.worker.settings.shard_size))

    def _label_names(self) -> list[str] | None:
        """Collect the labels of all images."""
        if self.worker.source.labels is None:
            return None
        names: set[str] = set()
        for shard in self._shards():
            with self.worker.folder.fs.open(self.worker.folder.at(images_file(shard)), "rb") as file:
                labels = pq.read_table(file, columns=["label"])["label"]
            names.update(label for label in pc.unique(labels).to_pylist() if label is not None)
        return sorted(names)


def plan_scan(
    source: str,
    model: VisionTransformer,
    out: str,
    *,
    labels: Labels | None = None,
    patch_tokens: Sequence[int] = (),
    size: Size | None = None,
    fit: str | None = None,
    batch_size: int | None = None,
    num_gpus: float | None = None,
    shard_size: int = 1000,
    workers: int | None = None,
    resume: bool = False,
) -> Plan:
    """Check the arguments of a scan, find its images, and compare it with what its folder holds.

    Arguments and errors are those of `vitviz.scan`.
    """
    layers = _layers(patch_tokens, model)
    size = default_size(model.config, model.preprocessing) if size is None else size
    check_size(size, model.config.patch_size)
    fit = model.preprocessing.fit if fit is None else one_of(fit, FITS, "fit", ImageError)
    if batch_size is None:
        on_gpu = next(model.parameters()).device.type != "cpu" if num_gpus is None else num_gpus > 0
        batch_size = GPU_BATCH_SIZE if on_gpu else CPU_BATCH_SIZE
    settings = Settings(
        Input(size, model.config.patch_size, fit, model.preprocessing),
        at_least(shard_size, 1, "The size of a shard"),
        layers,
        at_least(batch_size, 1, "The size of a batch"),
    )
    workers = default_workers() if workers is None else whole(workers, 1, MOST_WORKERS, "The number of workers")
    folder = Folder(out)
    names = folder.names()
    if not resume and (ABOUT in names or any(shard_of(name) is not None for name in names)):
        raise ScanError(f"There is a scan in {shown(out)} already; continue it with resume, or choose another folder.")
    found = open_source(source, labels)
    about = description(model, found, settings)
    written: set[int] = set()
    if ABOUT in names:
        old = read_about(folder)
        check_same(old, about, folder)
        about |= {"created": old["created"], "rate": old["rate"], "label_names": old["label_names"]}
        written = {shard for name in names if (shard := shard_of(name)) is not None}
        folder.remove_parts()
    shards = range(-(-len(found) // settings.shard_size))
    folder.make()
    worker = Worker(model, found, folder, settings, workers)
    return Plan(worker, about, len(found), [shard for shard in shards if shard not in written])


def default_workers() -> int:
    """Return the number of threads that read images: one for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def embedded(worker: Worker, shards: Sequence[int], progress: Callable[[int], object]) -> Iterator[Shard]:
    """Run a worker in this process."""
    return worker(shards, progress)


def _layers(patch_tokens: Sequence[int], model: VisionTransformer) -> tuple[int, ...]:
    if isinstance(patch_tokens, str):
        raise ArgumentError("The argument 'patch_tokens' must be a list of layers, such as [11].")
    each_of_kind(patch_tokens, int, "patch_tokens")
    return tuple(sorted({checked_index(layer, model.config.depth, "layer") for layer in patch_tokens}))


def _write_errors(folder: Folder, shards: Sequence[int]) -> int:
    """Collect the images that could not be read from the shards. Returns their number."""
    rows: list[tuple[int, str, str]] = []
    for shard in shards:
        with folder.fs.open(folder.at(images_file(shard)), "rb") as file:
            metadata = pq.read_metadata(file).metadata or {}
        rows += map(tuple, json.loads(metadata.get(ERRORS_KEY, b"[]")))
    if not rows:
        folder.remove(ERRORS_FILE)
        return 0
    columns = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), ERRORS, strict=True)]
    with folder.writing(ERRORS_FILE) as path:
        pq.write_table(pa.Table.from_arrays(columns, schema=ERRORS), path)
    return len(rows)
