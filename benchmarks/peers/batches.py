"""Many images: traces of all of them, against outputs alone from timm in batches."""

from collections.abc import Iterator

import torch

import vitviz

from ..library import input_tensor, timm_model
from .comparison import Arrays, Pair

COUNTS = {224: 32, 518: 8}
AT_ONCE = {224: 8, 518: 2}  # images per batch


def many_images(size: int) -> Iterator[Pair]:
    """Yield the comparison of traces of many images, with queries and keys of every layer, with timm's outputs."""
    ours, theirs = vitviz.load("dinov2-small"), timm_model(size)
    image, count, at_once = input_tensor(ours, size), COUNTS[size], AT_ONCE[size]
    images = torch.stack([image.roll(14 * i, dims=2) for i in range(count)])

    def one_by_one() -> Arrays:
        return [ours.trace(image).output for image in images]

    def in_batches() -> Arrays:
        return [trace.output for part in images.split(at_once) for trace in ours.trace_batch(part)]

    def by_timm() -> Arrays:
        with torch.inference_mode():
            return [output.numpy() for part in images.split(at_once) for output in theirs(part)]

    peer = f"timm, fused, outputs only, batches of {at_once}"
    yield Pair(f"traces of {count} images, batches of {at_once}", size, peer, in_batches, by_timm)
    yield Pair(
        f"traces of {count} images, one by one",
        size,
        peer,
        one_by_one,
        by_timm,
        why="A batch amortises the cost of each operation, which one image at a time pays in full.",
    )
