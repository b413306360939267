"""One forward pass and what is kept of it: for a trace, and for gradients that begin at what it left behind."""

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
from .trace import Trace, _frozen, _under


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
    """Run a model on one image and keep what is needed to look inside.

    Args:
        model: the model.
        image: a path, the bytes of a file, a PIL image, or what `vitviz.images.prepare` made; or a normalised float
            tensor [3, H, W], which is used as it is.
        size: side of the model's input in pixels, or its (height, width), multiples of the patch side; `default_size`
            if not given.
        fit: how the image becomes that size: `"crop"`, `"squash"`, `"pad"` or `"native"` (see `vitviz.images.prepare`);
            as in the model's training if it is not given.
        record: names of further hook points to keep, `*` allowed.
        edits: what to change in this pass, such as `[HeadAblation(2, 1)]`; see `vitviz.analysis.ablation`.

    Returns:
        The record of this forward pass.

    Raises:
        ImageError: if the image, the size or the fit cannot be used.
        ModelError: if a tensor does not have the model's shape, or the model is not float32 on the CPU.
        HookError: if `record` names a hook point that does not exist.
        EditError: if an edit is of something that the model has not.
        ArgumentError: if `model` is no model of vitviz, or `record` holds no names.
    """
    of_kind(model, ViT, "model")
    of_kind(record, str | Iterable[str], "record")
    record = (record,) if isinstance(record, str) else tuple(record)
    each_of_kind(record, str, "record")
    check_numbers(model)
    with torch.no_grad():
        found, kept = run(model, image, size, fit, record, edits)
    copies = found.edited or bool(found.edits)  # what an edit returned may be somebody else's to change
    return replace(found, _recorded={name: _kept(value, copies) for name, value in kept.items()})


@plain_arithmetic()
def trace_with_graph(
    model: ViT,
    image: ImageSource,
    names: tuple[str, ...],
) -> tuple[Trace, dict[str, Tensor]]:
    """Trace an image, and keep what flows at some hook points with the graph of gradients that leads there.

    The graph begins at what enters the first block; it takes the memory of all that a backward pass needs.

    Args:
        model: as in `trace`, and checked.
        image: as in `trace`.
        names: names of hook points, none before the first block.

    Returns:
        The trace, and by the name of each hook point the tensor that flowed there, with its batch axis.
    """
    return run(model, image, None, None, names, (), graph=True)


def is_recorded(trace: Trace, names: Iterable[str]) -> bool:
    """Return True if a trace has the activations of all these hook points at hand."""
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
    """The trace without what is recorded, and that as tensors."""
    prepared = None if isinstance(image, Tensor) else prepared_for(model, image, size, fit)
    if prepared is None:
        pixels = checked_tensor(image)
    else:
        pixels = torch.from_numpy(normalise(prepared.pixels, model.preprocessing))
    grid = model.grid_of(pixels[None])
    applied = apply(edits, model.config, grid)
    names = [f"blocks.*.attn.{part}" for part in "qk"] + [f"{POOL}.k"] * (model.config.pooling == "attention")
    begin = edit({"blocks.0.resid_pre": lambda x: x.detach().requires_grad_()}) if graph else nullcontext()
    with torch.set_grad_enabled(graph), _under(applied), begin, capture(*names, *record) as kept:
        output = model(pixels[None])[0]
    layers = range(model.config.depth)
    found = Trace(
        model=model,
        grid=grid,
        image=prepared,
        output=_frozen(output.detach().clone()),
        _input=pixels if prepared is None else None,
        _queries=tuple(kept.pop(f"blocks.{i}.attn.q")[0].detach().float() for i in layers),
        _keys=tuple(kept.pop(f"blocks.{i}.attn.k")[0].detach().float() for i in layers),
        _pool_keys=kept.pop(f"{POOL}.k")[0].detach().float().contiguous() if f"{POOL}.k" in kept else None,
        _recorded={},
        _edited=is_edited(),
        edits=applied.edits,
    )
    return found, kept


def _kept(value: Tensor, copies: bool) -> np.ndarray:
    """Activations without their batch axis; copied if it is a part of a larger tensor, which would be kept with it."""
    is_whole = value.is_contiguous() and value.untyped_storage().nbytes() == value.nbytes
    return _frozen(value[0] if is_whole and not copies else value[0].clone())
