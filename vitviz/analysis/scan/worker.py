"""Work of one process: shards of a source are read, measured and written. Both engines run it."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import groupby, islice

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import ModelError, ScanError
from ...images.reading import decoders
from ...trace.vision_transformer import VisionTransformer
from .folder import Folder
from .loading import Failure, Input, Loaded, load_ahead
from .measure import Measurements, measure
from .rows import image_rows, token_rows
from .schema import ERRORS_KEY, IMAGES, TOKENS, images_file, tokens_file
from .sources.source import Source

WINDOW = 8  # batches; images of one grid within a window share batches
_TEXT_COLUMNS = ["label", "prediction"]  # with repeated values


@dataclass(frozen=True)
class Settings:
    """Settings of a scan that decide what its rows are.

    Attributes:
        input: input of the model.
        shard_size: positions in a shard.
        patch_tokens: layers, from 0, whose patch tokens are written.
        batch_size: images in a pass of the model.
    """

    input: Input
    shard_size: int
    patch_tokens: tuple[int, ...]
    batch_size: int


@dataclass(frozen=True)
class Shard:
    """Shard that was written.

    Attributes:
        number: number of the shard, from 0.
        images: number of its rows.
        failures: images that could not be read.
        seconds: time since the previous shard of the same process.
    """

    number: int
    images: int
    failures: tuple[Failure, ...]
    seconds: float


@dataclass(frozen=True)
class Worker:
    """Function that writes shards of a scan. It can be pickled, with the model.

    Attributes:
        model: model to run.
        source: images.
        folder: folder of the scan.
        settings: settings of the scan.
        threads: number of threads that read images.
    """

    model: VisionTransformer
    source: Source
    folder: Folder
    settings: Settings
    threads: int

    def __call__(self, shards: Iterable[int], progress: Callable[[int], object] | None = None) -> Iterator[Shard]:
        """Write shards one after the other, and yield each when its files are complete.

        Images are read ahead of the model, also those of the next shard.

        Args:
            shards: numbers of the shards, ascending.
            progress: called with the number of images that were measured or refused.

        Raises:
            ScanError: if a shard has no image that the source gives and the model can measure.
        """
        began = time.monotonic()
        most = self.threads + WINDOW * self.settings.batch_size
        read = load_ahead(self._items(shards), self.settings.input, self.threads, most)
        with closing(read), decoders(self.threads):
            for number, images in groupby(read, self._shard_of):
                shard = self._write(number, images, progress or _ignore)
                yield replace(shard, seconds=time.monotonic() - began)
                began = time.monotonic()

    def _items(self, shards: Iterable[int]) -> Iterator:
        size = self.settings.shard_size
        for first, last in _runs(shards):
            yield from self.source.items(first * size, (last + 1) * size)

    def _shard_of(self, image: Loaded | Failure) -> int:
        return (image.item if isinstance(image, Loaded) else image).position // self.settings.shard_size

    def _write(self, number: int, images: Iterator[Loaded | Failure], progress: Callable[[int], object]) -> Shard:
        failures: list[Failure] = []
        batches: list[pa.RecordBatch] = []
        with ExitStack() as stack:
            tokens = self._tokens_writer(number, stack) if self.settings.patch_tokens else None
            while window := list(islice(images, WINDOW * self.settings.batch_size)):
                failures += [one for one in window if isinstance(one, Failure)]
                loaded = [one for one in window if isinstance(one, Loaded)]
                rows, of_tokens = self._measured(loaded, failures)
                batches += rows
                if tokens is not None:
                    for batch in of_tokens:
                        tokens.write_batch(batch)
                progress(len(window))
        # The shard of `images` comes last: where it is, the one of `tokens` is complete too.
        count = sum(map(len, batches))
        if not count and len(failures) > 1 and all(one.is_fatal for one in failures):
            raise ScanError(f"None of {len(failures)} images can be scanned. {failures[0].error}")
        failures.sort(key=lambda one: one.position)
        self._write_images(number, pa.Table.from_batches(batches, IMAGES), failures)
        return Shard(number, count, tuple(failures), 0)

    def _measured(
        self, images: Sequence[Loaded], failures: list[Failure]
    ) -> tuple[list[pa.RecordBatch], list[pa.RecordBatch]]:
        """Measure images, and return their rows in both tables, ordered by position. Adds to the failures."""
        by_grid: dict[tuple[int, ...], list[Loaded]] = defaultdict(list)
        for image in images:
            by_grid[image.prepared.pixels.shape].append(image)
        rows, tokens = [], []
        layers, size = self.settings.patch_tokens, self.settings.batch_size
        for alike in by_grid.values():
            for start in range(0, len(alike), size):
                for batch, measured in self._measurements(alike[start : start + size], failures):
                    rows.append(image_rows(self.model, batch, measured))
                    tokens += [token_rows(batch, measured)] if layers else []
        return (rows, tokens) if len(by_grid) < 2 else (_sorted(rows), _sorted(tokens))

    def _measurements(
        self, batch: list[Loaded], failures: list[Failure]
    ) -> Iterator[tuple[list[Loaded], Measurements]]:
        """Measure a batch; one by one, if the model returns no finite numbers for some image."""
        try:
            yield batch, self._measure(batch)
        except ModelError as error:
            if len(batch) == 1:
                failures.append(Failure(batch[0].item.position, batch[0].item.path, str(error), True))
                return
            for image in batch:
                yield from self._measurements([image], failures)

    def _measure(self, batch: list[Loaded]) -> Measurements:
        return measure(self.model, [image.prepared for image in batch], patch_tokens=self.settings.patch_tokens)

    def _tokens_writer(self, number: int, stack: ExitStack) -> pq.ParquetWriter:
        """Open the shard of `tokens`. It is written batch by batch, because it may be larger than the memory."""
        path = stack.enter_context(self.folder.writing(tokens_file(number)))
        return stack.enter_context(pq.ParquetWriter(path, TOKENS, compression="zstd", use_dictionary=False))

    def _write_images(self, number: int, table: pa.Table, failures: Sequence[Failure]) -> None:
        errors = json.dumps([(one.position, one.path, one.error) for one in failures])
        with self.folder.writing(images_file(number)) as path:
            pq.write_table(
                table.replace_schema_metadata({ERRORS_KEY: errors.encode()}),
                path,
                compression="zstd",
                use_dictionary=_TEXT_COLUMNS,
            )


Engine = Callable[[Worker, Sequence[int], Callable[[int], object]], Iterator[Shard]]  # worker, shards, progress


def _ignore(count: int) -> None:
    """Ignore the progress."""


def _sorted(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    if not batches:
        return []
    keys = [(name, "ascending") for name in ("position", "layer") if name in batches[0].schema.names]
    return pa.Table.from_batches(batches).sort_by(keys).to_batches()


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of consecutive numbers."""
    first = last = None
    for number in numbers:
        if first is None:
            first = number
        elif number != last + 1:
            yield first, last
            first = number
        last = number
    if first is not None:
        yield first, last
