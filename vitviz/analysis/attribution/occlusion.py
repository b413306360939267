"""Occlusion: what the model says when a patch is covered."""

from typing import Any

import torch
from torch import Tensor

from ...errors.arguments import whole
from ...errors.progress import Progress
from ...model.config import ViTConfig
from ...trace.trace import Trace
from .baselines import baseline_parameter, baseline_pixels, masked_values
from .method import Chosen, Method, Parameter
from .targets import Target, value_of

WIDE = (8, 4, 2)  # patches, sides of the covers of coarse maps; each takes a quarter of the next one's passes


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


class Occlusion(Method):
    """Drop of the target when patches are covered."""

    name, title, unit = "occlusion", "Occlusion", "drop of the target"
    paper, url = "Zeiler & Fergus 2014, section 4.2", "https://arxiv.org/abs/1311.2901"
    explain = staticmethod(occlusion)
    slow = True
    parameters = (
        Parameter(
            "window",
            "Covered at a time",
            1,
            lambda trace, _: range(1, min(4, *trace.grid) + 1),
            lambda side: f"{side} × {side} patches" if side > 1 else "1 patch",
        ),
        baseline_parameter("Cover", "mean", "by"),
    )

    def summary(self, config: ViTConfig) -> str:
        """Sentences on what it computes."""
        return "Covers one place after the other and measures how much the target drops, by forward passes alone."

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True."""
        return True

    def passes(self, parameters: Chosen, trace: Trace) -> tuple[int, float]:
        """One pass for each place of the cover."""
        return len(cover_places(trace.grid, parameters["window"], parameters.get("stride", 1))), 1.0

    def coarser(self, parameters: Chosen, trace: Trace) -> list[dict[str, Any]]:
        """Larger covers that do not overlap."""
        sides = [side for side in WIDE if parameters["window"] < side <= min(trace.grid) // 2]
        return [{"window": side, "stride": side} for side in sides]

    def coarse_words(self, parameters: Chosen) -> str:
        """Side of the cover."""
        return self.parameters[0].words(parameters["window"])
