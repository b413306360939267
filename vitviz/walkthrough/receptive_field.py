"""Receptive fields of convolutional networks, for comparison with attention, whose receptive field is the image.

The theoretical receptive field is the square of input pixels that one value of a feature map can depend on. With
kernels k_i and strides s_i its side is 1 + sum_i (k_i - 1) prod_{j < i} s_j (Araujo, Norris and Sim 2019, "Computing
Receptive Fields of Convolutional Neural Networks", Distill, https://distill.pub/2019/computing-receptive-fields,
equation 2). The effective receptive field of a trained network is smaller (Luo et al. 2016,
https://arxiv.org/abs/1701.04128). In a Vision Transformer it is the whole image in every layer. It says what a network
can use; mean attention distance says what the heads of a Vision Transformer do use, so the two are not compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from ..errors.arguments import at_least, checked_index, each_of_kind, number, typed, whole

MOST = 1_000_000  # maximum number of layers
RESNET50_STAGES = {"conv2": 3, "conv3": 4, "conv4": 6, "conv5": 3}  # bottleneck blocks; He et al. 2016, table 1
RESNET50_BLOCKS = sum(RESNET50_STAGES.values())


@dataclass(frozen=True)
class ReceptiveField:
    """Theoretical receptive field after a layer.

    Attributes:
        layer: name of the layer, such as `"conv4, block 2"`.
        side: side of the square, in input pixels.
    """

    layer: str
    side: int

    @property
    def reach(self) -> float:
        """Distance from the centre of the square to the centre of its outermost pixels, in pixels."""
        return (self.side - 1) / 2

    def covered(self, x: float, y: float, width: int, height: int) -> float:
        """Return the share of an image that the square covers around a point, from 0 to 1.

        Args:
            x: distance of the point from the left edge, pixels.
            y: distance of the point from the upper edge, pixels.
            width: width of the image, pixels.
            height: height of the image, pixels.
        """
        return covered_share(self.side, x, y, width, height)


@typed
def receptive_field(layers: Iterable[tuple[int, int]]) -> int:
    """Return the side of the receptive field of a chain of layers, in pixels; 1 if there are none.

    Args:
        layers: kernel size and stride of each convolution or pooling, from the input on.

    Raises:
        ArgumentError: if a kernel size or stride is not an integer of at least 1.
    """
    side, stride, layers = 1, 1, tuple(layers)
    each_of_kind(layers, tuple[int, int], "layers")
    for kernel, step in layers:
        kernel, step = at_least(kernel, 1, "A kernel"), at_least(step, 1, "A stride")
        side += (kernel - 1) * stride
        stride *= step
    return side


@typed
def covered_share(side: float, x: float, y: float, width: int, height: int) -> float:
    """Return the share of an image that a square around a point covers, from 0 to 1; see `ReceptiveField.covered`."""
    side, x, y = (number(value, 0, np.inf, f"The {name}") for name, value in (("side", side), ("x", x), ("y", y)))
    width, height = at_least(width, 1, "The width"), at_least(height, 1, "The height")
    across, down = (
        max(0.0, min(at + side / 2, end) - max(at - side / 2, 0.0)) / end for at, end in ((x, width), (y, height))
    )
    return across * down


@typed
def convolutions(count: int, patch: int = 1) -> ReceptiveField:
    """Return the receptive field after a number of 3 x 3 convolutions with stride 1.

    Args:
        count: number of convolutions.
        patch: side of the input patches: 1 for pixels (side 1 + 2 count), or P for projected patches, as in a Vision
            Transformer (side P (1 + 2 count)).
    """
    count = whole(count, 0, MOST, "The number of convolutions")
    side = receptive_field([(patch, patch), *[(3, 1)] * count])
    return ReceptiveField(f"{count} convolutions" if count != 1 else "1 convolution", side)


@typed
@cache
def resnet50(stride_in: Literal["first", "middle"] = "first") -> tuple[ReceptiveField, ...]:
    """Return the receptive fields of ResNet-50 after its stem and each of its 16 blocks.

    He et al. 2016, https://arxiv.org/abs/1512.03385, table 1: a 7 x 7 convolution and a 3 x 3 max pooling, both with
    stride 2; then bottlenecks of 1 x 1, 3 x 3 and 1 x 1. The first block of conv3, conv4 and conv5 has stride 2.

    Args:
        stride_in: convolution with this stride. `"first"`: the 1 x 1, as in the paper; 483 pixels at the end.
            `"middle"`: the 3 x 3, as in torchvision and timm ("v1.5"); 427 pixels at the end, because the first 3 x 3
            of these stages works on the finer map, which makes the field 8, 16 and 32 pixels smaller.
    """
    layers = [(7, 2), (3, 2)]
    fields = [ReceptiveField("stem", receptive_field(layers))]
    for stage, blocks in RESNET50_STAGES.items():
        for block in range(blocks):
            stride = 2 if block == 0 and stage != "conv2" else 1
            first, middle = (stride, 1) if stride_in == "first" else (1, stride)
            layers += [(1, first), (3, middle), (1, 1)]
            fields.append(ReceptiveField(f"{stage}, block {block + 1}", receptive_field(layers)))
    return tuple(fields)


@dataclass(frozen=True)
class SameDepth:
    """Receptive fields of convolutional networks at the depth of one layer of a Vision Transformer.

    Attributes:
        on_pixels: 3 x 3 convolutions on pixels, one per transformer layer so far.
        on_patches: the same number of 3 x 3 convolutions on patches.
        resnet50: block of ResNet-50 at the same relative depth.
    """

    on_pixels: ReceptiveField
    on_patches: ReceptiveField
    resnet50: ReceptiveField


@typed
def at_depth(layer: int, layers: int, patch: int) -> SameDepth:
    """Return the receptive fields of convolutional networks at the depth of a transformer layer.

    Stacks of convolutions have one convolution per layer. ResNet-50 is taken at the same relative depth: after layer l
    of L (from 1) that is its block ceil(16 l / L), so both end together.

    Args:
        layer: layer index of the transformer, from 0.
        layers: number of layers of the transformer.
        patch: side of its patches, in pixels.

    Raises:
        IndexError: if the layer is out of range.
    """
    depth = checked_index(layer, whole(layers, 1, MOST, "The number of layers"), "layer") + 1
    _, *blocks = resnet50()
    return SameDepth(convolutions(depth), convolutions(depth, patch), blocks[-(-len(blocks) * depth // layers) - 1])
