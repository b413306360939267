"""Occlusion: what the model says when a patch is covered."""

import torch
from torch import Tensor

from ..arguments import whole
from ..trace import Trace
from .baselines import baseline_pixels, masked_values
from .progress import Progress
from .targets import Target, value_of


def occlusion(
    trace: Trace, target: Target, progress: Progress | None = None, *, window: int = 1, baseline: str = "mean"
) -> Tensor:
    """How much the target drops when a patch is covered, float32 [rows, columns], of either sign.

    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", https://arxiv.org/abs/1311.2901,
    section 4.2, with the patch grid as the places of the cover. A cover of several patches is moved patch by patch, and
    a patch gets the mean drop of all covers that hide it.

    Args:
        trace: what is explained.
        target: what of the output is explained.
        progress: called with how many covers are done and how many there are.
        window: side of the cover, in patches.
        baseline: what covers: `"mean"` or `"blur"` (see `baseline_pixels`).
    """
    covers = _covers(trace.grid, whole(window, 1, min(trace.grid), "The window"))
    seen = value_of(target, trace)
    drops = seen - masked_values(trace, covers, target, baseline_pixels(trace, baseline), progress)
    return torch.einsum("c,cij->ij", drops, covers.float()) / covers.sum(dim=0)


def _covers(grid: tuple[int, int], window: int) -> Tensor:
    """All places of the cover, bool [place, rows, columns]."""
    rows, columns = grid
    places = [(row, column) for row in range(rows - window + 1) for column in range(columns - window + 1)]
    covers = torch.zeros(len(places), rows, columns, dtype=torch.bool)
    for cover, (row, column) in zip(covers, places, strict=True):
        cover[row : row + window, column : column + window] = True
    return covers
