"""Forward passes that make traces, optionally with the graph for gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..errors.arguments import each_of_kind, of_kind
from ..images import Size, normalise
from ..model.applied_edits import apply
from ..model.config import POOL
from ..model.edits import Edit
from ..model.hooks import capture, edit, is_edited
from ..model.precision import check_numbers, plain_arithmetic
from ..model.vit import ViT
from .inputs import ImageSource, checked_tensor, prepared_for
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
    of_kind(model, ViT, "model")
    of_kind(record, str | Iterable[str], "record")
    record = (record,) if isinstance(record, str) else tuple(record)
    each_of_kind(record, str, "record")
    check_numbers(model)
    with torch.no_grad():
        result, recorded = run(model, image, size, fit, record, edits)
    copy = result.edited or bool(result.edits)  # the caller may still change a tensor that an edit returned
    return replace(result, _recorded={name: _as_array(value, copy) for name, value in recorded.items()})


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
    return run(model, image, None, None, names, (), graph=True)


def is_recorded(trace: Trace, names: Iterable[str]) -> bool:
    """Return True if a trace has recorded the activations at all these hook points."""
    return trace._recorded.keys() >= set(names)


def run(
    model: ViT,
    image: ImageSource,
    size: Size | None,
    fit: str | None,
    record: tuple[str, ...],
    edits: Sequence[Edit],
    graph: bool = False,
) -> tuple[Trace, dict[str, Tensor]]:
    """Run a model and return its trace without recorded activations, and these as tensors; arguments as in `trace`."""
    prepared = None if isinstance(image, Tensor) else prepared_for(model, image, size, fit)
    if prepared is None:
        pixels = checked_tensor(image)
    else:
        pixels = torch.from_numpy(normalise(prepared.pixels, model.preprocessing))
    grid = model.grid_of(pixels[None])
    applied = apply(edits, model.config, grid)
    names = [f"blocks.*.attn.{part}" for part in "qk"] + [f"{POOL}.k"] * (model.config.pooling == "attention")
    begin = edit({"blocks.0.resid_pre": lambda x: x.detach().requires_grad_()}) if graph else nullcontext()
    with torch.set_grad_enabled(graph), _editing(applied), begin, capture(*names, *record) as recorded:
        output = model(pixels[None])[0]
    layers = range(model.config.depth)
    result = Trace(
        model=model,
        grid=grid,
        image=prepared,
        output=_frozen(output.detach().clone()),
        _input=pixels if prepared is None else None,
        _queries=tuple(recorded.pop(f"blocks.{i}.attn.q")[0].detach().float() for i in layers),
        _keys=tuple(recorded.pop(f"blocks.{i}.attn.k")[0].detach().float() for i in layers),
        _pool_keys=recorded.pop(f"{POOL}.k")[0].detach().float().contiguous() if f"{POOL}.k" in recorded else None,
        _recorded={},
        _edited=is_edited(),
        edits=applied.edits,
    )
    return result, recorded


def _as_array(value: Tensor, copy: bool) -> np.ndarray:
    """Activation without batch axis; also copied if it is a view, which would keep a larger tensor in memory."""
    is_whole = value.is_contiguous() and value.untyped_storage().nbytes() == value.nbytes
    return _frozen(value[0] if is_whole and not copy else value[0].clone())
