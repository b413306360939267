"""Integrated gradients: contributions of the patches to the difference between an image and a baseline."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors.arguments import share, whole
from ...errors.progress import Progress, silent
from ...model.config import POOL, ViTConfig
from ...model.hooks import capture, without_hooks
from ...model.precision import as_input, as_result, plain_arithmetic
from ...trace.passes import edits_of
from ...trace.trace import Trace
from .baselines import baseline_parameter, baseline_pixels
from .method import Method, Parameter, ParameterValues
from .targets import Target

TOKENS_AT_ONCE = 1024  # tokens per batch: each batch keeps the graph of a whole forward pass
MOST_STEPS = 1024
NODES = 4  # gradients per segment of the path
BACKWARD = 3.0  # cost of a forward and a backward pass, in forward passes
REFINED = 4  # typical ratio of the gradients needed for completeness to the initial number of steps
FEW_STEPS = 8  # steps of a coarse map
GROWTH = 16  # limit of that ratio
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)  # on [-1, 1]; the weights sum to 2


@dataclass(frozen=True, eq=False)
class _Segment:
    """Segment of the path, with the change of the target along it and the attributions of the patches.

    Attributes:
        start: start of the segment, from 0 (baseline) to 1 (image).
        end: end of the segment.
        change: target at the end minus target at the start.
        map: attributions [patch], whose sum approximates the change.
    """

    start: float
    end: float
    change: float
    map: Tensor

    @property
    def error(self) -> float:
        return abs(float(self.map.sum()) - self.change)

    def halves(self) -> tuple[tuple[float, float], tuple[float, float]]:
        middle = (self.start + self.end) / 2
        return (self.start, middle), (middle, self.end)


def integrated_gradients(
    trace: Trace,
    target: Target,
    progress: Progress | None = None,
    *,
    baseline: str = "blur",
    steps: int = 32,
    completeness: float | None = 0.01,
) -> Tensor:
    """Compute integrated gradients of the patch embeddings, signed float32 [rows, columns].

    Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", https://arxiv.org/abs/1703.01365, equation 1:
    (x - x') times the mean gradient along the path from the baseline x' to the image x, summed over the channels of
    each patch. x is the activation at `embed.patches`, so prefix tokens and position embeddings stay constant along the
    path. Completeness (proposition 1): the map sums to the target of the image minus the target of the baseline.

    The target of a transformer often changes within a hundredth of the path, near the baseline, and equal steps miss
    that. So the path is split into segments, each integrated with Gauss-Legendre quadrature, and segments whose
    gradients do not sum to the change of the target are halved until completeness holds (or 16 times the initial
    number of gradients have been computed).

    Args:
        trace: trace of the image.
        target: target to explain.
        progress: callback, called with the number of gradients computed and the number planned so far.
        baseline: start of the path: `"blur"` or `"mean"` (see `baseline_pixels`).
        steps: initial number of gradients along the path, rounded up to a multiple of 4.
        completeness: tolerated difference between the sum of the map and the change of the target, as a fraction of the
            change, from 0 to below 1. None for exactly `steps` gradients and one Gauss-Legendre rule for the whole
            path, as in Captum, without a check of completeness.
    """
    allowed = None if completeness is None else share(completeness, "Completeness")
    steps = whole(steps, 1, MOST_STEPS, "The number of steps")
    path = _Path(trace, target, baseline, progress or silent)
    if allowed is None:
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        maps = path.maps(torch.tensor((1 + nodes) / 2, dtype=torch.float32))
        return (torch.tensor(weights / 2, dtype=torch.float32)[:, None] * maps).sum(dim=0).reshape(trace.grid)
    segments = path.segments(pairwise(np.linspace(0, 1, 1 + -(-steps // NODES)).tolist()))
    most = GROWTH * path.done
    while path.done < most and (inaccurate := _inaccurate(segments, allowed / 2)):
        segments = [segment for segment in segments if segment not in inaccurate]
        segments += path.segments(half for segment in inaccurate for half in segment.halves())
    return torch.stack([segment.map for segment in segments]).sum(dim=0).reshape(trace.grid)


def _inaccurate(segments: list[_Segment], tolerance: float) -> list[_Segment]:
    """Return the segments with the largest errors, so many that the sum of the other errors is within the tolerance.

    Callers pass half of the tolerance for completeness, because the ends of segments are rounded.
    """
    total_change = abs(sum(segment.change for segment in segments))
    variation = sum(abs(segment.change) for segment in segments)
    allowed = tolerance * max(total_change, variation / 100)  # a change near 0 cannot be met to 1 %
    error, inaccurate = sum(segment.error for segment in segments), []
    for segment in sorted(segments, key=lambda segment: -segment.error):
        if error <= allowed:
            break
        error -= segment.error
        inaccurate.append(segment)
    return inaccurate


class _Path:
    """Straight path from the patch embeddings of the baseline to those of the image."""

    def __init__(self, trace: Trace, target: Target, baseline: str, report: Progress):
        self.trace, self.target, self.report = trace, target, report
        self.start = _tokens(trace, baseline_pixels(trace, baseline))
        self.direction = _tokens(trace, torch.tensor(trace.pixels())) - self.start  # 0 for prefix tokens
        self.at_once = max(1, TOKENS_AT_ONCE // trace.token_count)
        self.done = 0
        self.values: dict[float, float] = {}  # target by position on the path

    def segments(self, spans: Iterable[tuple[float, float]]) -> list[_Segment]:
        """Integrate over segments given by start and end."""
        spans = list(spans)
        self._evaluate(sorted({end for span in spans for end in span} - self.values.keys()))
        positions = torch.tensor(
            [(a + b) / 2 + (b - a) / 2 * node for a, b in spans for node in _NODES], dtype=torch.float32
        )
        maps = self.maps(positions)
        weights = torch.tensor(_WEIGHTS / 2, dtype=torch.float32)[:, None]
        return [
            _Segment(a, b, self.values[b] - self.values[a], (b - a) * (of_segment * weights).sum(dim=0))
            for (a, b), of_segment in zip(spans, maps.split(NODES), strict=True)
        ]

    def maps(self, positions: Tensor) -> Tensor:
        """Compute gradient times direction at several positions, in batches: [position, patch]."""
        maps, planned = [], self.done + len(positions)
        for some in positions.split(self.at_once):
            maps.append(self._gradients(some))
            self.done += len(some)
            self.report(self.done, planned)
        return torch.cat(maps)

    def _gradients(self, positions: Tensor) -> Tensor:
        """Compute gradient times direction at several positions, [position, patch]."""
        tokens = self._at(positions).requires_grad_()
        (gradient,) = torch.autograd.grad(self._value(tokens).sum(), tokens)
        return (self.direction * gradient)[:, self.trace.prefix :].sum(dim=-1)

    def _evaluate(self, positions: list[float]) -> None:
        """Compute and store the target at several positions."""
        with torch.no_grad():
            for some in torch.tensor(positions, dtype=torch.float64).split(self.at_once):
                self.values.update(zip(some.tolist(), self._value(self._at(some)).tolist(), strict=True))

    def _at(self, positions: Tensor) -> Tensor:
        return self.start + positions.float()[:, None, None] * self.direction

    def _value(self, tokens: Tensor) -> Tensor:
        model = self.trace.model
        with plain_arithmetic(), without_hooks(), edits_of(self.trace, "blocks.", POOL, "norm"):
            return self.target(as_result(model.forward_from(model.norm_pre(as_input(tokens, model)), self.trace.grid)))


def _tokens(trace: Trace, pixels: Tensor) -> Tensor:
    """Return the embedded sequence, [1, token, D]: patch embeddings with prefix tokens and position embeddings."""
    with (
        plain_arithmetic(),
        without_hooks(),
        torch.no_grad(),
        edits_of(trace, "embed."),
        capture("embed.tokens") as kept,
    ):
        trace.model.embed(pixels[None])
    return as_result(kept["embed.tokens"])


class IntegratedGradients(Method):
    """Gradients along the path from a baseline to the image."""

    name, title, unit = "integrated_gradients", "Integrated gradients", "part of the target"
    paper, url = "Sundararajan et al. 2017, equation 1", "https://arxiv.org/abs/1703.01365"
    explain = staticmethod(integrated_gradients)
    slow = True
    parameters = (
        Parameter("steps", "Steps on the path", 32, lambda *_: (8, 16, 32, 64, 128), lambda steps: f"{steps} steps"),
        baseline_parameter("Baseline", "blur", "from"),
    )

    def summary(self, config: ViTConfig) -> str:
        """Describe the method."""
        return (
            "Integrates the target's gradient along a path from a baseline, an image without content, to this image. "
            "The values of all patches sum to the difference of the target between the two images."
        )

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True."""
        return True

    def passes(self, parameters: ParameterValues, trace: Trace) -> tuple[int, float]:
        """Return the expected number of gradients, more than `steps` if completeness is required, and their cost."""
        refined = 1 if "completeness" in parameters else REFINED
        return refined * parameters["steps"], BACKWARD

    def coarse_parameters(self, parameters: ParameterValues, trace: Trace) -> list[dict[str, Any]]:
        """Return a few steps, without a check of completeness."""
        return [{"steps": FEW_STEPS, "completeness": None}] if parameters["steps"] > FEW_STEPS else []

    def coarse_label(self, parameters: ParameterValues) -> str:
        """Return the label of the number of steps."""
        return self.parameters[0].format(parameters["steps"])
