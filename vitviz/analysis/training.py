"""Attention and tokens over a training run: one number for each checkpoint.

import vitviz

run = vitviz.load_run("digits")
curves = vitviz.training_curves(run, "four.png", probe_images=["one.png", "two.png"])
curves.entropy_of(layer=2, head=1)          # float32 [checkpoint]
vitviz.first_local_head(curves)             # the checkpoint at which a head becomes local
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..errors.arguments import checked_index, number, typed
from ..errors.brief import brief
from ..errors.progress import Progress, silent
from ..images import Size
from ..model.hooks import residual_stream_names
from ..trace.inputs import ImageSource
from ..zoo.run import Run
from .attention import patch_distances, row_statistics
from .tokens.probe import patch_positions, position_r2

LOCAL = 0.75  # largest mean attention distance of a local head, relative to that of uniform attention


@brief
@dataclass(frozen=True, eq=False)
class TrainingCurves:
    """Numbers of one image over a training run.

    Attributes:
        steps: names of the checkpoints.
        accuracy: accuracy stored with the run, float64 [checkpoint], 0 to 1; None if it is not known.
        distance: mean attention distance, float32 [checkpoint, layer, head, query patch], in pixels of the input; see
            `vitviz.analysis.attention.row_statistics`.
        entropy: attention entropy, float32 [checkpoint, layer, head, query], in bits; None for differential attention.
        position_r2: R^2 of the position probe, mean of row and column, float64 [checkpoint, 1 + layer]; None without
            images for the probe.
        uniform_distance: mean attention distance of uniform attention from each query patch, float32 [query patch].
        prefix: number of prefix tokens, which come first among the queries.
    """

    steps: tuple[str, ...]
    accuracy: np.ndarray | None
    distance: np.ndarray
    entropy: np.ndarray | None
    position_r2: np.ndarray | None
    uniform_distance: np.ndarray
    prefix: int

    @property
    def uniform_entropy(self) -> float:
        """Entropy of uniform attention over all tokens, in bits."""
        return float(np.log2(self.prefix + len(self.uniform_distance)))

    def distance_of(self, layer: int, head: int | None = None, query: int | None = None) -> np.ndarray | None:
        """Return the mean attention distance over training, float32 [checkpoint], in pixels of the input.

        Args:
            layer: layer index, from 0.
            head: head index, from 0; None for the mean of the layer.
            query: token index; None for the mean over all patches.

        Returns:
            The distances; None for a prefix token, which has no position.
        """
        if query is not None:
            query = checked_index(query, self.prefix + len(self.uniform_distance), "token") - self.prefix
            if query < 0:
                return None
        return self._selected(self.distance, layer, head, query)

    def entropy_of(self, layer: int, head: int | None = None, query: int | None = None) -> np.ndarray | None:
        """Return the attention entropy over training, float32 [checkpoint], in bits; None for differential attention.

        Args:
            layer: layer index, from 0.
            head: head index, from 0; None for the mean of the layer.
            query: token index; None for the mean over all patches.
        """
        if self.entropy is None:
            return None
        if query is not None:
            return self._selected(self.entropy, layer, head, checked_index(query, self.entropy.shape[-1], "token"))
        return self._selected(self.entropy[..., self.prefix :], layer, head, None)

    def _selected(self, values: np.ndarray, layer: int, head: int | None, query: int | None) -> np.ndarray:
        of_layer = values[:, checked_index(layer, values.shape[1], "layer")]
        of_query = of_layer.mean(axis=-1) if query is None else of_layer[..., query]
        return of_query.mean(axis=-1) if head is None else of_query[:, checked_index(head, values.shape[2], "head")]


@brief
@dataclass(frozen=True)
class LocalHead:
    """Local head at a checkpoint of a run.

    Attributes:
        checkpoint: index of the checkpoint, from 0.
        layer: layer index, from 0.
        head: head index, from 0.
        distance: mean attention distance of the head, in pixels of the input.
        uniform: mean attention distance of uniform attention, in pixels of the input.
    """

    checkpoint: int
    layer: int
    head: int
    distance: float
    uniform: float


@typed
def training_curves(
    run: Run,
    image: ImageSource,
    *,
    size: Size | None = None,
    fit: str | None = None,
    probe_images: Sequence[ImageSource] = (),
    progress: Progress | None = None,
) -> TrainingCurves:
    """Compute attention distance, attention entropy and position probe at every checkpoint of a run.

    Each checkpoint is loaded once. It takes one forward pass, and one for each image of the probe.

    Args:
        run: the training run, see `load_run`.
        image: image as for `model.trace`.
        size: input size, as for `model.trace`.
        fit: treatment of images that are not square, as for `model.trace`.
        probe_images: at least two images for the position probe, see `vitviz.tokens.position_probe`; none to leave the
            probe out.
        progress: function called with the number of checkpoints done and in total. An exception that it raises stops
            the computation.

    Raises:
        ArgumentError: if there is one image for the probe only.
        ModelError: if a checkpoint cannot be loaded, or has another configuration; the message names its file.
        ImageError: if an image cannot be read.
    """
    if len(probe_images) == 1:
        raise ArgumentError("A probe is fitted on some images and tested on another; give at least two, or none.")
    distance, entropy, probe, report = [], [], [], progress or silent
    for index in range(len(run)):
        model = run.load(index)
        trace = model.trace(image, size=size, fit=fit)
        rows = row_statistics(trace)
        distance.append(rows.distance)
        entropy.append(rows.entropy)
        record = residual_stream_names(trace.layers)
        places = [patch_positions(model.trace(one, size=size, fit=fit, record=record)) for one in probe_images]
        if places:
            probe.append([position_r2(places, stage).mean() for stage in range(1 + trace.layers)])
        report(index + 1, len(run))
    return TrainingCurves(
        steps=run.steps,
        accuracy=_known(run.accuracy),
        distance=np.stack(distance),
        entropy=None if entropy[0] is None else np.stack(entropy),
        position_r2=np.array(probe) if probe else None,
        uniform_distance=patch_distances(trace.grid, trace.config.patch_size).mean(axis=1),
        prefix=trace.prefix,
    )


def _known(accuracy: Sequence[float | None]) -> np.ndarray | None:
    return None if None in accuracy else np.array(accuracy, dtype=np.float64)


@typed
def first_local_head(curves: TrainingCurves, most: float = LOCAL) -> LocalHead | None:
    """Find the first checkpoint with a local head, and the most local head at that checkpoint.

    A head is local if its mean attention distance, averaged over the query patches, is at most a fraction of that of
    uniform attention.

    Args:
        curves: result of `training_curves`.
        most: largest distance of a local head, relative to uniform attention, 0 to 1.

    Returns:
        The head; None if no head is local at any checkpoint.
    """
    uniform = float(curves.uniform_distance.mean())
    of_heads = curves.distance.mean(axis=-1)  # checkpoint layer head
    limit = number(most, 0, 1, "The largest distance") * uniform
    local = (of_heads <= limit).any(axis=(1, 2))
    if not local.any() or uniform == 0:  # a single patch has no distance
        return None
    at = int(local.argmax())
    layer, head = np.unravel_index(of_heads[at].argmin(), of_heads[at].shape)
    return LocalHead(at, int(layer), int(head), float(of_heads[at, layer, head]), uniform)
