"""Occlusion: what the model says when a patch is covered."""

import torch
from torch import Tensor

from ...errors.arguments import whole
from ...trace.trace import Trace
from .baselines import baseline_pixels, masked_values
from .progress import Progress
from .targets import Target, value_of


def occlusion(
    trace: Trace,
    target: Target,
    progress: Progress | None = None,
    *,
    window: int = 1,
    stride: int = 1,
    baseline: str = "mean",
) -> Tensor:
    """How much the target drops when a patch is covered, float32 [rows, columns], of either sign.

    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", https://arxiv.org/abs/1311.2901,
    section 4.2, with the patch grid as the places of the cover. A cover of several patches is moved by `stride`
    patches, in the end by as many as are left, and a patch gets the mean drop of all covers that hide it.

    Args:
        trace: what is explained.
        target: what of the output is explained.
        progress: called with how many covers are done and how many there are.
        window: side of the cover, in patches.
        stride: by how many patches the cover is moved, no more than its side; with its side no two covers overlap,
            which takes the fewest passes and shows least detail.
        baseline: what covers: `"mean"` or `"blur"` (see `baseline_pixels`).
    """
    window = whole(window, 1, min(trace.grid), "The window")
    covers = cover_places(trace.grid, window, whole(stride, 1, window, "The stride"))
    seen = value_of(target, trace)
    drops = seen - masked_values(trace, covers, target, baseline_pixels(trace, baseline), progress)
    return torch.einsum("c,cij->ij", drops, covers.float()) / covers.sum(dim=0)


def cover_places(grid: tuple[int, int], window: int, stride: int) -> Tensor:
    """All places of the cover, bool [place, rows, columns]."""
    along_rows, along_columns = (_starts(side, window, stride) for side in grid)
    covers = torch.zeros(len(along_rows) * len(along_columns), *grid, dtype=torch.bool)
    places = [(row, column) for row in along_rows for column in along_columns]
    for cover, (row, column) in zip(covers, places, strict=True):
        cover[row : row + window, column : column + window] = True
    return covers


def _starts(side: int, window: int, stride: int) -> list[int]:
    """Positions at which a cover begins along one side; the last one ends with it."""
    return sorted({*range(0, side - window, stride), side - window})
