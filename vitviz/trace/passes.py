"""Forward passes that make traces, optionally with the graph for gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import Tensor

from ..errors import ArgumentError, ImageError
from ..errors.arguments import each_of_kind, of_kind
from ..images import Size
from ..model.applied_edits import apply
from ..model.config import POOL
from ..model.edits import Edit
from ..model.hooks import capture, edit, is_edited, listen
from ..model.precision import as_result, check_numbers, plain_arithmetic
from ..model.vit import ViT
from .inputs import ImageSource, ModelInput, model_input
from .trace import Trace, _editing, _frozen


@plain_arithmetic()
def trace(
    model: ViT,
    image: ImageSource,
    *,
    size: Size | None = None,
    fit: str | None = None,
    record: tuple[str, ...] = (),
    edits: Sequence[Edit] = (),
) -> Trace:
    """Run a model on one image and record the forward pass.

    Args:
        model: model to run.
        image: path, bytes of a file, PIL image, or result of `vitviz.images.prepare`; or a normalised float tensor
            [channel, H, W], which is used without preprocessing.
        size: side of the input in pixels, or (height, width); multiples of the patch size. By default `default_size`.
        fit: method to fit the image to the input size: `"crop"`, `"squash"`, `"pad"` or `"native"` (see
            `vitviz.images.prepare`). By default the one of the model's training.
        record: names of further hook points to record, `*` allowed.
        edits: edits of this pass, such as `[HeadAblation(2, 1)]`; see `vitviz.model.edits`.

    Returns:
        Trace of the forward pass.

    Raises:
        ImageError: if the image, the size or the fit is invalid.
        ModelError: if a tensor does not have the shape of the model's input, or the model is not float32 on the CPU.
        HookError: if `record` names a hook point that does not exist.
        EditError: if an edit does not fit the model.
        ArgumentError: if `model` is not a model of vitviz, or `record` is not a list of names.
    """
    return traces_of(model, [image], size, fit, record, edits)[0]


@plain_arithmetic()
def trace_batch(
    model: ViT,
    images: Iterable[ImageSource],
    *,
    size: Size | None = None,
    fit: str | None = None,
    record: tuple[str, ...] = (),
    edits: Sequence[Edit] = (),
) -> list[Trace]:
    """Run a model on several images in one forward pass, and record it as one trace for each image.

    The images must have the same input size, which they have with every fit except `"native"`. Each trace equals the
    one made by `trace`, up to rounding, and owns its arrays: it can be kept without the others. Functions in
    `vitviz.edit` blocks, and `vitviz.capture` blocks, get all images at once, on the batch axis.

    Args:
        model: model to run.
        images: images as in `trace`, or a normalised float tensor [batch, channel, H, W]. They are in memory together
            with the activations of the batch; split a large collection into several batches.
        size: as in `trace`, for all images.
        fit: as in `trace`, for all images.
        record: as in `trace`, for all images.
        edits: as in `trace`, applied to all images.

    Returns:
        Traces in the order of the images.

    Raises:
        ImageError: if an image, the size or the fit is invalid, or the images have different input sizes.
        ModelError, HookError, EditError: as in `trace`.
        ArgumentError: if `images` is not a list of images or is empty; otherwise as in `trace`.
    """
    of_kind(images, Iterable[object], "images")
    images = list(images)
    if not images:
        raise ArgumentError("The argument 'images' is empty; give at least one image.")
    return traces_of(model, images, size, fit, record, edits)


@plain_arithmetic()
def trace_with_graph(
    model: ViT,
    image: ImageSource,
    names: tuple[str, ...],
) -> tuple[Trace, dict[str, Tensor]]:
    """Trace an image, and return the activations at some hook points with their graph, for gradients.

    The graph starts at the input of the first block. It holds all activations that a backward pass needs.

    Args:
        model: as in `trace`; must be checked already.
        image: as in `trace`.
        names: names of hook points, none before the first block.

    Returns:
        The trace, and the activations by hook point, with batch axis.
    """
    (result,), recorded = run(model, [image], None, None, names, (), graph=True)
    return result, recorded


def is_recorded(trace: Trace, names: Iterable[str]) -> bool:
    """Return True if a trace has recorded the activations at all these hook points."""
    return trace._recorded.keys() >= set(names)


def edits_of(trace: Trace, *parts: str) -> AbstractContextManager[None]:
    """Return a context in which the edits of a trace are applied, so that parts of its model run as in its pass.

    Args:
        trace: trace with or without edits.
        *parts: beginnings of the names of the hook points that the run reaches, such as `"blocks.3."`; all by default.
    """
    hooks = {name: change for name, change in trace._applied.hooks().items() if name.startswith(parts or "")}
    return edit(hooks) if hooks else nullcontext()


def run(
    model: ViT,
    images: Sequence[ImageSource | ModelInput],
    size: Size | None,
    fit: str | None,
    record: tuple[str, ...],
    edits: Sequence[Edit],
    graph: bool = False,
) -> tuple[list[Trace], dict[str, Tensor]]:
    """Run a model on a batch of images; arguments as in `trace_batch`.

    Returns:
        The traces without recorded activations, and these as tensors by hook point, with batch axis.
    """
    inputs = [model_input(model, image, size, fit) for image in images]
    batch = _stacked([one.pixels for one in inputs])
    grid = model.grid_of(batch)
    applied = apply(edits, model.config, grid)
    names = [f"blocks.*.attn.{part}" for part in "qk"] + [f"{POOL}.k"] * (model.config.pooling == "attention")
    kept: dict[str, list[list[Tensor]]] = {name: [] for name in names}  # by hook point, then by layer
    # Split by image within the pass: the memory of a batch is then used again by the next layer.
    split = {name: lambda x, layers=layers: layers.append(_split(x)) for name, layers in kept.items()}
    begin = edit({"blocks.0.resid_pre": lambda x: x.detach().requires_grad_()}) if graph else nullcontext()
    with torch.set_grad_enabled(graph), _editing(applied), begin, listen(split), capture(*record) as recorded:
        outputs = model(batch)
    for name in [name for name in recorded if any(fnmatchcase(name, own) for own in names)]:
        del recorded[name]
    queries, keys = (list(zip(*kept[name], strict=True)) for name in names[:2])  # by image, then by layer
    pool_keys = kept[f"{POOL}.k"][0] if f"{POOL}.k" in kept else [None] * len(images)
    results = [
        Trace(
            model=model,
            grid=grid,
            image=inputs[i].image,
            output=_frozen(output.detach().clone()),
            _input=inputs[i].pixels if inputs[i].image is None else None,
            _queries=queries[i],
            _keys=keys[i],
            _pool_keys=None if pool_keys[i] is None else pool_keys[i].contiguous(),
            _recorded={},
            _edited=is_edited(),
            edits=applied.edits,
        )
        for i, output in enumerate(outputs)
    ]
    return results, recorded


@plain_arithmetic()
def traces_of(
    model: ViT,
    images: Sequence[ImageSource | ModelInput],
    size: Size | None,
    fit: str | None,
    record: tuple[str, ...],
    edits: Sequence[Edit],
) -> list[Trace]:
    """Check the arguments and return the traces of a batch, with recorded activations."""
    of_kind(model, ViT, "model")
    of_kind(record, str | Iterable[str], "record")
    record = (record,) if isinstance(record, str) else tuple(record)
    each_of_kind(record, str, "record")
    check_numbers(model)
    with torch.no_grad():
        results, recorded = run(model, images, size, fit, record, edits)
    copy = results[0].edited or bool(results[0].edits)  # the caller may still change a tensor that an edit returned
    arrays = [{} for _ in results]
    for name in list(recorded):
        batch = recorded.pop(name)  # freed before the next one is copied
        for i, of_image in enumerate(arrays):
            of_image[name] = _as_array(batch, i, copy)
    return [replace(result, _recorded=of_image) for result, of_image in zip(results, arrays, strict=True)]


def _stacked(pixels: Sequence[Tensor]) -> Tensor:
    """Return inputs of one size as a batch.

    Raises:
        ImageError: if their sizes differ.
    """
    if len(pixels) == 1:
        return pixels[0][None]
    different = next((one for one in pixels if one.shape != pixels[0].shape), None)
    if different is not None:
        first, other = (" x ".join(map(str, one.shape[1:])) for one in (pixels[0], different))
        if first == other:
            first, other = (f"{len(one)} channels" for one in (pixels[0], different))
        raise ImageError(
            f"The images of a batch must have one input size, but there are {first} and {other}; choose a size and a "
            'fit other than "native", or trace them one by one.'
        )
    return torch.stack(list(pixels))


def _split(batch: Tensor) -> list[Tensor]:
    """Split a batch into tensors [...] that own their memory, so that none keeps the whole batch in memory."""
    samples = as_result(batch.detach())
    return [samples[0]] if len(samples) == 1 else [sample.clone() for sample in samples]


def _as_array(batch: Tensor, index: int, copy: bool) -> np.ndarray:
    """Activation of one image, without batch axis; copied if it is a view that keeps a larger tensor in memory."""
    is_whole = len(batch) == 1 and batch.is_contiguous() and batch.untyped_storage().nbytes() == batch.nbytes
    return _frozen(batch[index] if is_whole and not copy else batch[index].clone())
