"""Faithfulness of attribution maps: deletion and insertion curves."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...errors import HookError, ModelError, VitvizError
from ...errors.arguments import array, of_kind, whole
from ...errors.brief import brief
from ...errors.progress import Progress
from ...trace.model_stub import check_same_model
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from .baselines import BASELINES, baseline_pixels, masked_values
from .targets import AnyTarget, ClassTarget, Target, checked_target, value_of

__all__ = ["BASELINES", "Curves", "baseline_pixels", "curves", "endpoints", "lowest_baseline", "random_curves"]

MOST_SEEDS = 1000


@brief
@dataclass(frozen=True, eq=False)
class Curves:
    """Deletion and insertion curves of a map; arrays are read-only.

    Attributes:
        fraction: fraction of patches deleted or inserted, float32 [n], from 0 to 1.
        deletion: target with this fraction deleted, most important patches first, float32 [n].
        insertion: target with only this fraction inserted, float32 [n].
        deletion_auc: area under `deletion`; lower is better.
        insertion_auc: area under `insertion`; higher is better.
        baseline: baseline that replaces missing patches.
    """

    fraction: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    deletion_auc: float
    insertion_auc: float
    baseline: str


def curves(
    model: VisionTransformer,
    trace: Trace,
    attribution_map: np.ndarray,
    target: AnyTarget | None,
    *,
    baseline: str | None = None,
    steps: int = 16,
    progress: Progress | None = None,
) -> Curves:
    """Compute the deletion and insertion curves of a map.

    Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    https://arxiv.org/abs/1806.07421, section 4.1, with patches in place of pixels. Class targets are measured as
    probabilities, as in the paper, other targets by their own value. Areas follow the trapezoidal rule.

    Args:
        model: the model.
        trace: trace of the image by this model.
        attribution_map: one number per patch, [rows, columns]; larger is more important. Among equal values the first
            patch, row by row, is the more important one.
        target: target to measure, as in `explain`.
        baseline: replacement of missing patches, `"blur"` or `"mean"` (see `baseline_pixels`); by default the result
            of `lowest_baseline`, which takes one more forward pass per baseline.
        steps: number of steps, with nearly equal numbers of patches; at most the number of patches.
        progress: callback, called with the number of forward passes done and their total number; an exception in it
            stops the computation.

    Raises:
        ModelError: if the trace belongs to another model, the map does not fit it, or the model does not have the
            target.
        IndexError: if a class is out of range.
        HookError: if the trace was made under an `edit`.
        VitvizError: if a parameter has an invalid value.
    """
    _check(model, trace)
    order = _order(attribution_map, trace)
    return _measured(trace, [order], target, baseline, steps, progress)


def random_curves(
    model: VisionTransformer,
    trace: Trace,
    target: AnyTarget | None,
    *,
    baseline: str | None = None,
    steps: int = 16,
    seeds: int = 5,
    progress: Progress | None = None,
) -> Curves:
    """Compute the mean curves of random patch orders, a reference for the curves of a map.

    Args:
        model: as in `curves`.
        trace: as in `curves`.
        target: as in `curves`.
        baseline: as in `curves`.
        steps: as in `curves`.
        seeds: number of random orders; the same orders in every call.
        progress: as in `curves`.

    Raises:
        VitvizError: and others, as in `curves`.
    """
    _check(model, trace)
    count = trace.grid[0] * trace.grid[1]
    orders = [np.random.default_rng(seed).permutation(count) for seed in range(whole(seeds, 1, MOST_SEEDS, "seeds"))]
    return _measured(trace, orders, target, baseline, steps, progress)


def endpoints(
    model: VisionTransformer, trace: Trace, target: AnyTarget | None, *, baseline: str = "blur"
) -> tuple[float, float]:
    """Return the target's value with all patches and with none, the ends of all curves; takes one forward pass.

    Args:
        model: as in `curves`.
        trace: as in `curves`.
        target: as in `curves`.
        baseline: as in `curves`.

    Raises:
        VitvizError: and others, as in `curves`.
    """
    _check(model, trace)
    value = _Value(checked_target(target, trace), model)
    none = torch.ones(1, *trace.grid, dtype=torch.bool)
    return value_of(value, trace), float(masked_values(trace, none, value, baseline_pixels(trace, baseline))[0])


def lowest_baseline(model: VisionTransformer, trace: Trace, target: AnyTarget | None) -> str:
    """Return the baseline with the lowest target value, which leaves the largest drop to the curves.

    Args:
        model: as in `curves`.
        trace: as in `curves`.
        target: as in `curves`.

    Raises:
        VitvizError: and others, as in `curves`.
    """
    return min(BASELINES, key=lambda kind: endpoints(model, trace, target, baseline=kind)[1])


def _measured(
    trace: Trace,
    orders: Iterable[np.ndarray],
    target: AnyTarget | None,
    baseline: str | None,
    steps: int,
    progress: Progress | None,
) -> Curves:
    """Return the mean curves of several patch orders."""
    of_kind(progress, Progress | None, "progress")
    patches = trace.grid[0] * trace.grid[1]
    counts = np.unique(np.rint(np.linspace(0, patches, 1 + whole(steps, 1, 10**6, "The number of steps"))).astype(int))
    first = torch.stack([_first(order, counts, trace.grid) for order in orders])  # order step row column
    hidden = torch.stack([first, ~first])  # deletion, insertion
    value = _Value(checked_target(target, trace), trace.model)
    if baseline is None:
        baseline = lowest_baseline(trace.model, trace, target)
    values = masked_values(trace, hidden.flatten(0, 2), value, baseline_pixels(trace, baseline), progress)
    deletion, insertion = values.unflatten(0, hidden.shape[:3]).mean(dim=1).numpy()
    fraction = (counts / patches).astype(np.float32)
    areas = (float(np.trapezoid(curve, fraction)) for curve in (deletion, insertion))
    return Curves(*map(_read_only, (fraction, deletion, insertion)), *areas, baseline)


def _first(order: np.ndarray, counts: np.ndarray, grid: tuple[int, int]) -> Tensor:
    """Return masks of the first patches of an order, one per count: bool [count, rows, columns]."""
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    return torch.from_numpy(rank.reshape(grid) < counts[:, None, None])


def _order(attribution_map: np.ndarray, trace: Trace) -> np.ndarray:
    """Return the patches from the most to the least important, int [patch]."""
    values = array(attribution_map, "...", "The numbers of the map", finite=False)
    if values.shape != trace.grid:
        raise ModelError(f"The map has shape {list(values.shape)}; this image has {list(trace.grid)} patches.")
    if not np.isfinite(values).all():
        raise VitvizError("The map has values that are not finite; give finite numbers to order its patches.")
    return np.argsort(-values.astype(np.float64), axis=None, kind="stable")


class _Value(Target):
    """Measured value of a target: the probability of a class, or the value of any other target."""

    def __init__(self, target: Target, model: VisionTransformer):
        self.target = target
        self.independent = model.output_kind == "independent" or model.config.num_classes == 1

    def __call__(self, output: Tensor) -> Tensor:
        if isinstance(self.target, ClassTarget):
            output = output.sigmoid() if self.independent else output.softmax(dim=-1)
        return self.target(output)


def _check(model: VisionTransformer, trace: Trace) -> None:
    of_kind(model, VisionTransformer, "model")
    of_kind(trace, Trace, "trace")
    check_same_model(trace, model, ModelError)
    if trace.edited:
        raise HookError(
            "This trace was made under an edit, but curves run the model without it; trace the image again."
        )


def _read_only(values: np.ndarray) -> np.ndarray:
    values = np.array(values, dtype=np.float32)
    values.flags.writeable = False
    return values
