"""Record of a model at one moment of its training."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from torch import nn

from ...analysis.attention import HeadStatistics, head_statistics, patch_distances
from ...errors import ArgumentError
from ...errors.brief import brief
from ...images import Size
from ...trace.inputs import ImageSource
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..overview import overview_png

Unit = Literal["epoch", "step"]


@brief
@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """Attention of fixed images at one moment of a training.

    Attributes:
        unit: unit of `number`: `"epoch"` or `"step"`.
        number: number of epochs or steps done.
        overviews: PNG file for each image, by its name: the attention of the class token (without one, of the patch in
            the middle) in every head.
        statistics: statistics of the heads, float32 [layer, head], means over the images.
        uniform_distance: mean attention distance of uniform attention, in pixels of the input.
        uniform_entropy: entropy of uniform attention, in bits.
        model: copy of the model, in evaluation mode on the CPU.
        source: the model that is being trained.
    """

    unit: Unit
    number: int
    overviews: Mapping[str, bytes]
    statistics: HeadStatistics
    uniform_distance: float
    uniform_entropy: float
    model: VisionTransformer
    source: nn.Module

    @property
    def name(self) -> str:
        """Name of the record, such as `"epoch-00012"`."""
        return f"{self.unit}-{self.number:05}"

    def pictures(self) -> dict[str, Image.Image]:
        """Overviews as RGB images, by the names of the images."""
        return {name: Image.open(io.BytesIO(data)).convert("RGB") for name, data in self.overviews.items()}

    def scalars(self) -> dict[str, float]:
        """Statistics by name, such as `"distance/L02/H01"` in pixels, `"entropy/L02/H01"` in bits, from layer 1."""
        values = {"distance": self.statistics.distance, "entropy": self.statistics.entropy}
        return {
            f"{name}/L{layer + 1:02}/H{head + 1:02}": float(number)
            for name, array in values.items()
            if array is not None
            for (layer, head), number in np.ndenumerate(array)
        }


def training_record(
    source: nn.Module,
    model: VisionTransformer,
    images: Mapping[str, ImageSource],
    unit: Unit,
    number: int,
    *,
    size: Size | None,
    fit: str | None,
    side: int,
) -> TrainingRecord:
    """Trace the images, and compute their overviews and the mean statistics of the heads.

    Args:
        source: model that is being trained.
        model: its copy.
        images: images by name.
        unit: unit of the number.
        number: number of epochs or steps done.
        size: see `vitviz.Trace`.
        fit: see `vitviz.Trace`.
        side: longer side of a map in the overviews, in pixels.

    Raises:
        ImageError: if an image cannot be read, or the size or the fit is invalid.
    """
    overviews: dict[str, bytes] = {}
    found: list[HeadStatistics] = []
    shapes: set[tuple[int, int]] = set()
    for name, image in images.items():
        trace = model.trace(image, size=size, fit=fit)
        overviews[name] = overview_png(trace, {"model": model.name, "image": name, unit: number}, side=side)
        found.append(head_statistics(trace))
        shapes.add(trace.grid)
    if len(shapes) > 1:
        raise ArgumentError(
            "The fixed images have different input sizes, so the mean of their statistics has no meaning; choose a fit "
            'other than "native".'
        )
    distance, entropy = (
        None if found[0].entropy is None and name == "entropy" else np.mean([getattr(one, name) for one in found], 0)
        for name in ("distance", "entropy")
    )
    return TrainingRecord(
        unit=unit,
        number=number,
        overviews=overviews,
        statistics=HeadStatistics(distance, entropy),
        uniform_distance=_uniform_distance(trace),
        uniform_entropy=float(np.log2(trace.token_count)),
        model=model,
        source=source,
    )


def _uniform_distance(trace: Trace) -> float:
    return float(patch_distances(trace.grid, trace.config.patch_size).mean())
