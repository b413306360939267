"""One forward pass and what is kept of it: for a trace, and for gradients that begin at what it left behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..images import Size, normalise
from ..model.applying import apply
from ..model.config import POOL
from ..model.edits import Edit
from ..model.hooks import capture, edit, is_edited
from ..model.precision import plain_arithmetic
from .inputs import ImageSource, checked_tensor, prepared_for
from .trace import Trace, _frozen, _under

if TYPE_CHECKING:
    from ..model.vit import VisionTransformer


@plain_arithmetic()
def trace_with_graph(
    model: VisionTransformer,
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
    model: VisionTransformer,
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
