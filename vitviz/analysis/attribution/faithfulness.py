"""Which explanation to believe: what happens to the target when patches go, or come, in the order of a map."""

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
    """What is left of the target when patches go, and what is there when they come; arrays are read-only.

    Attributes:
        fraction: the share of patches that has gone, or come, float32 [n], from 0 to 1.
        deletion: the target with that share taken away, the most important first, float32 [n].
        insertion: the target with nothing but that share, float32 [n].
        deletion_auc: the area below `deletion`; the lower, the better the map knows what the model needs.
        insertion_auc: the area below `insertion`; the higher, the better.
        baseline: what stood for missing patches.
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
    """Deletion and insertion curves of a map.

    Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    https://arxiv.org/abs/1806.07421, section 4.1, with patches in place of pixels. The value of a class is its
    probability, as there; of other targets it is what they are. Areas are by trapezoids.

    Args:
        model: the model.
        trace: its trace of the image.
        attribution_map: one number a patch, [rows, columns]; the largest is the most important. Of equal ones the
            first, row by row, counts as more important.
        target: what is measured, as `explain` takes it; if it is None, what `explain` would explain.
        baseline: what stands for missing patches, `"blur"` or `"mean"` (see `baseline_pixels`); by default
            `lowest_baseline`, for one more forward pass each.
        steps: in how many steps, of equally many patches as nearly as possible, they go and come; no more than there
            are patches are taken.
        progress: called with how many forward passes are done and how many there are; what it raises stops it.

    Raises:
        ModelError: if the trace is not one of this model, the map does not fit it, or the model does not have this
            target.
        IndexError: if a class is out of range.
        HookError: if the trace was made under an `edit`.
        VitvizError: if a parameter is not possible.
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
    """The mean curves of random orders of the patches: what a map has to beat.

    Args:
        model: as in `curves`.
        trace: as in `curves`.
        target: as in `curves`.
        baseline: as in `curves`.
        steps: as in `curves`.
        seeds: how many random orders; the same ones every time.
        progress: as in `curves`.

    Raises:
        VitvizError: and the others, as in `curves`.
    """
    _check(model, trace)
    count = trace.grid[0] * trace.grid[1]
    orders = [np.random.default_rng(seed).permutation(count) for seed in range(whole(seeds, 1, MOST_SEEDS, "seeds"))]
    return _measured(trace, orders, target, baseline, steps, progress)


def endpoints(
    model: VisionTransformer, trace: Trace, target: AnyTarget | None, *, baseline: str = "blur"
) -> tuple[float, float]:
    """Value of the target with all patches and with none, where all curves begin and end; takes one forward pass.

    Args:
        model: as in `curves`.
        trace: as in `curves`.
        target: as in `curves`.
        baseline: as in `curves`.

    Raises:
        VitvizError: and the others, as in `curves`.
    """
    _check(model, trace)
    value = _Value(checked_target(target, trace), model)
    none = torch.ones(1, *trace.grid, dtype=torch.bool)
    return value_of(value, trace), float(masked_values(trace, none, value, baseline_pixels(trace, baseline))[0])


def lowest_baseline(model: VisionTransformer, trace: Trace, target: AnyTarget | None) -> str:
    """Baseline that leaves least of the target of this image, so that curves have far to fall.

    Args:
        model: as in `curves`.
        trace: as in `curves`.
        target: as in `curves`.

    Raises:
        VitvizError: and the others, as in `curves`.
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
    """The mean curves of some orders of the patches."""
    of_kind(progress, Progress | None, "progress")
    patches = trace.grid[0] * trace.grid[1]
    counts = np.unique(np.rint(np.linspace(0, patches, 1 + whole(steps, 1, 10**6, "The number of steps"))).astype(int))
    gone = torch.stack([_first(order, counts, trace.grid) for order in orders])  # order step row column
    hidden = torch.stack([gone, ~gone])  # while patches go those are hidden, while they come the others
    value = _Value(checked_target(target, trace), trace.model)
    if baseline is None:
        baseline = lowest_baseline(trace.model, trace, target)
    values = masked_values(trace, hidden.flatten(0, 2), value, baseline_pixels(trace, baseline), progress)
    deletion, insertion = values.unflatten(0, hidden.shape[:3]).mean(dim=1).numpy()
    fraction = (counts / patches).astype(np.float32)
    areas = (float(np.trapezoid(curve, fraction)) for curve in (deletion, insertion))
    return Curves(*map(_read_only, (fraction, deletion, insertion)), *areas, baseline)


def _first(order: np.ndarray, counts: np.ndarray, grid: tuple[int, int]) -> Tensor:
    """Which patches are among the first of an order, for several numbers of patches: bool [count, rows, columns]."""
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    return torch.from_numpy(rank.reshape(grid) < counts[:, None, None])


def _order(attribution_map: np.ndarray, trace: Trace) -> np.ndarray:
    """The patches from the most to the least important, int [patch]."""
    values = array(attribution_map, "...", "The numbers of the map", finite=False)
    if values.shape != trace.grid:
        raise ModelError(f"The map has shape {list(values.shape)}; this image has {list(trace.grid)} patches.")
    if not np.isfinite(values).all():
        raise VitvizError("The map has to hold finite numbers; without them its patches have no order.")
    return np.argsort(-values.astype(np.float64), axis=None, kind="stable")


class _Value(Target):
    """A target as it is measured: the probability of a class; the others as they are."""

    def __init__(self, target: Target, model: VisionTransformer):
        self.target = target
        self.each = model.output_kind == "independent" or model.config.num_classes == 1

    def __call__(self, output: Tensor) -> Tensor:
        if isinstance(self.target, ClassTarget):
            output = output.sigmoid() if self.each else output.softmax(dim=-1)
        return self.target(output)


def _check(model: VisionTransformer, trace: Trace) -> None:
    of_kind(model, VisionTransformer, "model")
    of_kind(trace, Trace, "trace")
    check_same_model(trace, model, ModelError)
    if trace.edited:
        raise HookError("This trace was made under an edit, without which the curves run the model; trace it again.")


def _read_only(values: np.ndarray) -> np.ndarray:
    values = np.array(values, dtype=np.float32)
    values.flags.writeable = False
    return values
