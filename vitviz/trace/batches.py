"""Traces of many images, decoded in threads ahead of the model."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from PIL import Image
from torch import Tensor

from ..errors import ImageError
from ..errors.arguments import at_least, each_of_kind, one_of, shown_path, typed
from ..images import FITS, Size, check_size
from ..model.edits import Edit
from ..model.precision import plain_arithmetic
from ..model.vit import ViT
from .ahead import map_ahead
from .inputs import ImageSource, ModelInput, model_input
from .passes import traces_of
from .trace import Trace

MOST_WORKERS = 4  # by default; `vitviz.images` decodes two images at once, the other threads resize and normalise


@typed
def trace_batch(
    model: ViT,
    images: Iterable[ImageSource],
    *,
    size: Size | None = None,
    fit: str | None = None,
    record: Sequence[str] | str = (),
    edits: Sequence[Edit] = (),
    batch_size: int = 8,
    workers: int | None = None,
    return_errors: bool = False,
) -> Iterator[Trace | ImageError]:
    """Trace a stream of images, several in each forward pass, and yield one trace for each image, in order.

    Images are read, decoded and resized in threads while the model runs. Consecutive images of one input size share a
    forward pass, so images of any size and fit can be mixed, and each trace equals the one made by `model.trace`, up to
    rounding. Only the images and traces of about three batches are in memory, so the stream can be endless. The threads
    end when the iterator does, or when it is closed or deleted.

        for trace in vitviz.trace_batch(model, Path("photos").glob("*.jpg")):
            print(trace.output.argmax())

    Args:
        model: model to run.
        images: images as in `model.trace`: paths, bytes of files, PIL images, prepared images or normalised tensors. A
            generator is run in the caller's thread, about two batches ahead. A PIL image must not be changed until its
            trace is there.
        size: as in `model.trace`, for all images.
        fit: as in `model.trace`, for all images.
        record: as in `model.trace`, for all images.
        edits: as in `model.trace`, applied to all images.
        batch_size: largest number of images in a forward pass. Its memory grows with it.
        workers: number of threads that read images; by default one for each processor, at most 4.
        return_errors: yield the error of an image that cannot be read in place of its trace, and continue, instead of
            raising it.

    Yields:
        Trace of each image, which owns its arrays; with `return_errors`, an `ImageError` for some.

    Raises:
        ImageError: if the size or the fit is invalid; while iterating, if an image is invalid, after the traces of the
            images before it. The message and the attribute `index` say which image it is, counted from 0.
        ModelError, HookError, EditError: while iterating, as in `model.trace`.
        ArgumentError: if an argument is of the wrong type or out of range.
    """
    each_of_kind(edits, Edit, "edits")
    if size is not None:
        check_size(size, model.config.patch_size)
    if fit is not None:
        one_of(fit, FITS, "fit", ImageError)
    names = (record,) if isinstance(record, str) else tuple(record)
    each_of_kind(names, str, "record")
    batch_size = at_least(batch_size, 1, "batch_size")
    workers = min(MOST_WORKERS, os.cpu_count() or 1) if workers is None else at_least(workers, 1, "workers")
    batches = input_batches(model, images, size, fit, batch_size, workers, return_errors)
    return _traces(model, batches, names, tuple(edits))


def _traces(
    model: ViT, batches: Iterator[list[ModelInput] | ImageError], record: tuple[str, ...], edits: tuple[Edit, ...]
) -> Iterator[Trace | ImageError]:
    with closing(batches):
        for batch in batches:
            if isinstance(batch, ImageError):
                yield batch
                continue
            traces = traces_of(model, batch, None, None, record, edits)[::-1]
            while traces:
                yield traces.pop()  # not kept here while the caller works


def input_batches(
    model: ViT,
    images: Iterable[ImageSource],
    size: Size | None = None,
    fit: str | None = None,
    batch_size: int = 8,
    workers: int = 2,
    return_errors: bool = False,
) -> Iterator[list[ModelInput] | ImageError]:
    """Yield batches of inputs of one size, prepared in threads ahead of the caller; arguments as in `trace_batch`.

    With `return_errors`, an error is yielded between the batches before and after its image.
    """
    opened = threading.Lock()

    @plain_arithmetic()
    def prepared(source: tuple[int, ImageSource]) -> ModelInput:
        index, image = source
        try:
            if isinstance(image, Image.Image):  # decoded on first use, which threads must not do at once
                with opened:
                    return model_input(model, image, size, fit)
            return model_input(model, image, size, fit)
        except ImageError as error:
            raise _located(error, index, image) from error

    def is_mutable(source: tuple[int, ImageSource]) -> bool:
        return isinstance(source[1], Tensor | bytearray | memoryview)

    batch: list[ModelInput] = []
    with closing(map_ahead(prepared, enumerate(images), workers, 2 * batch_size, is_mutable)) as futures:
        for future in futures:
            try:
                one = future.result()
            except Exception as error:
                if batch:
                    yield batch
                batch = []
                if not return_errors or not isinstance(error, ImageError):
                    raise
                yield error
                continue
            finally:
                del future
            if batch and batch[0].pixels.shape != one.pixels.shape:
                yield batch
                batch = []
            batch.append(one)
            del one
            if len(batch) == batch_size:
                full, batch = batch, []
                yield full
                del full
    if batch:
        yield batch


def _located(error: ImageError, index: int, image: ImageSource) -> ImageError:
    """Return an error that says which image it is about."""
    name = f" ({shown_path(image)})" if isinstance(image, str | Path) else ""
    located = ImageError(f"Image {index}{name}: {error}")
    located.index = index
    return located
