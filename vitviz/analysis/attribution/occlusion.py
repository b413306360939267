"""Occlusion: drop of the target when patches are covered."""

from typing import Any

import torch
from torch import Tensor

from ...errors.arguments import whole
from ...errors.progress import Progress
from ...model.config import ViTConfig
from ...trace.trace import Trace
from .baselines import baseline_parameter, baseline_pixels, masked_values
from .method import Method, Parameter, ParameterValues
from .targets import Target, value_of

WIDE = (8, 4, 2)  # window sides of coarse maps, patches; each takes a quarter of the forward passes of the next


def occlusion(
    trace: Trace,
    target: Target,
    progress: Progress | None = None,
    *,
    window: int = 1,
    stride: int = 1,
    baseline: str = "mean",
) -> Tensor:
    """Compute the drop of the target when patches are covered, signed float32 [rows, columns].

    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", https://arxiv.org/abs/1311.2901,
    section 4.2, with windows aligned to the patch grid. The window moves by `stride` patches; the last one is aligned
    to the edge. A patch gets the mean drop over all windows that cover it.

    Args:
        trace: trace of the image.
        target: target to explain.
        progress: callback, called with the number of windows done and their total number.
        window: side of the window, in patches.
        stride: step of the window, in patches, at most its side. If both are equal, windows do not overlap, which takes
            the fewest forward passes and shows the least detail.
        baseline: image inside the window: `"mean"` or `"blur"` (see `baseline_pixels`).
    """
    window = whole(window, 1, min(trace.grid), "The window")
    covers = cover_masks(trace.grid, window, whole(stride, 1, window, "The stride"))
    drops = value_of(target, trace) - masked_values(trace, covers, target, baseline_pixels(trace, baseline), progress)
    return torch.einsum("c,cij->ij", drops, covers.float()) / covers.sum(dim=0)


def cover_masks(grid: tuple[int, int], window: int, stride: int) -> Tensor:
    """Return the masks of all windows, bool [window, rows, columns]."""
    along_rows, along_columns = (_starts(side, window, stride) for side in grid)
    covers = torch.zeros(len(along_rows) * len(along_columns), *grid, dtype=torch.bool)
    corners = [(row, column) for row in along_rows for column in along_columns]
    for cover, (row, column) in zip(covers, corners, strict=True):
        cover[row : row + window, column : column + window] = True
    return covers


def _starts(side: int, window: int, stride: int) -> list[int]:
    """Return the starts of the windows along one side; the last window ends at the edge."""
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
            "Window",
            1,
            lambda trace, _: range(1, min(4, *trace.grid) + 1),
            lambda side: f"{side} × {side} patches" if side > 1 else "1 patch",
        ),
        baseline_parameter("Baseline", "mean", "by"),
    )

    def summary(self, config: ViTConfig) -> str:
        """Describe the method."""
        return "Covers one region after another and measures the drop of the target. It needs no gradients."

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True."""
        return True

    def passes(self, parameters: ParameterValues, trace: Trace) -> tuple[int, float]:
        """Return the number of windows, with one forward pass each."""
        return len(cover_masks(trace.grid, parameters["window"], parameters.get("stride", 1))), 1.0

    def coarse_parameters(self, parameters: ParameterValues, trace: Trace) -> list[dict[str, Any]]:
        """Return larger windows that do not overlap."""
        sides = [side for side in WIDE if parameters["window"] < side <= min(trace.grid) // 2]
        return [{"window": side, "stride": side} for side in sides]

    def coarse_label(self, parameters: ParameterValues) -> str:
        """Return the label of the window's side."""
        return self.parameters[0].format(parameters["window"])
