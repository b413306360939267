"""Integrated gradients: the difference to an image without content, shared out among the patches."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors.arguments import share, whole
from ...errors.progress import Progress, silent
from ...model.config import ViTConfig
from ...model.hooks import capture, without_hooks
from ...model.precision import plain_arithmetic
from ...trace.trace import Trace
from .baselines import baseline_parameter, baseline_pixels
from .method import Chosen, Method, Parameter
from .targets import Target

TOKENS_AT_ONCE = 1024  # in one batch: each keeps the graph of a whole forward pass
MOST_STEPS = 1024
PLACES = 4  # where the gradient is taken on each piece of the way
BACKWARD = 3.0  # forward passes that a pass and the way back take
REFINED = 4  # times as many steps as at first are usual until the map is complete
FEW_STEPS = 8  # of a coarse map
GROWTH = 16  # at most so many times the first gradients are taken
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(PLACES)  # from -1 to 1; the weights sum to 2


@dataclass(frozen=True, eq=False)
class _Piece:
    """A piece of the way from `start` to `end`, shares of it, with the rise of the target and what each patch gets."""

    start: float
    end: float
    rise: float
    map: Tensor  # [patch]; its sum should be the rise

    @property
    def error(self) -> float:
        return abs(float(self.map.sum()) - self.rise)

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
    """Integrated gradients of the patch embeddings, float32 [rows, columns], of either sign.

    Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", https://arxiv.org/abs/1703.01365, equation 1:
    (x - x') times the mean gradient on the way from the baseline x' to the image x, summed here over the channels of
    each patch. x is what flows at `embed.patches`, so prefix tokens and positions are the same all along. Completeness
    (proposition 1): the map sums to the target of the image less that of the baseline.

    Transformers change their mind within a hundredth of the way, where the image begins to show, and equal steps miss
    that. So the way is cut into pieces, each with the rule of Gauss and Legendre, and pieces whose gradients do not sum
    to the rise of the target are halved until completeness holds (or 16 times as many gradients were taken).

    Args:
        trace: what is explained.
        target: what of the output is explained.
        progress: called with how many gradients were taken and how many are planned by now.
        baseline: where the way begins: `"blur"` or `"mean"` (see `baseline_pixels`).
        steps: at how many places of the way the gradient is taken at first, rounded up to whole pieces of 4.
        completeness: by which share of the target's rise the sum of the map may miss it, from 0 to below 1; None for
            exactly `steps` gradients by one rule of Gauss and Legendre for the whole way, as captum takes them,
            however far that is from complete.
    """
    allowed = None if completeness is None else share(completeness, "Completeness")
    steps = whole(steps, 1, MOST_STEPS, "The number of steps")
    way = _Way(trace, target, baseline, progress or silent)
    if allowed is None:
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        maps = way.maps(torch.tensor((1 + nodes) / 2, dtype=torch.float32))
        return (torch.tensor(weights / 2, dtype=torch.float32)[:, None] * maps).sum(dim=0).reshape(trace.grid)
    pieces = way.pieces(pairwise(np.linspace(0, 1, 1 + -(-steps // PLACES)).tolist()))
    most = GROWTH * way.done
    while way.done < most and (poor := _poor(pieces, allowed / 2)):
        pieces = [piece for piece in pieces if piece not in poor]
        pieces += way.pieces(half for piece in poor for half in piece.halves())
    return torch.stack([piece.map for piece in pieces]).sum(dim=0).reshape(trace.grid)


def _poor(pieces: list[_Piece], tolerance: float) -> list[_Piece]:
    """The worst pieces, so many that the errors of the others are small against the rise of the target.

    Half of what completeness may miss is tolerated, as pieces are judged with their ends rounded.
    """
    pre_activation = abs(sum(piece.rise for piece in pieces))
    swings = sum(abs(piece.rise) for piece in pieces)
    allowed = tolerance * max(pre_activation, swings / 100)  # a rise of nearly nothing cannot be met to 1 %
    error, poor = sum(piece.error for piece in pieces), []
    for piece in sorted(pieces, key=lambda piece: -piece.error):
        if error <= allowed:
            break
        error -= piece.error
        poor.append(piece)
    return poor


class _Way:
    """The straight way from the baseline's patch embeddings to the image's."""

    def __init__(self, trace: Trace, target: Target, baseline: str, report: Progress):
        self.trace, self.target, self.report = trace, target, report
        self.start = _tokens(trace, baseline_pixels(trace, baseline))
        self.way = _tokens(trace, torch.tensor(trace.pixels())) - self.start  # 0 for prefix tokens
        self.at_once = max(1, TOKENS_AT_ONCE // trace.token_count)
        self.done = 0
        self.heights: dict[float, float] = {}

    def pieces(self, spans: Iterable[tuple[float, float]]) -> list[_Piece]:
        """What the patches get on some pieces of the way."""
        spans = list(spans)
        self._climb(sorted({end for span in spans for end in span} - self.heights.keys()))
        places = torch.tensor(
            [(a + b) / 2 + (b - a) / 2 * node for a, b in spans for node in _NODES], dtype=torch.float32
        )
        maps = self.maps(places)
        weights = torch.tensor(_WEIGHTS / 2, dtype=torch.float32)[:, None]
        return [
            _Piece(a, b, self.heights[b] - self.heights[a], (b - a) * (of_piece * weights).sum(dim=0))
            for (a, b), of_piece in zip(spans, maps.split(PLACES), strict=True)
        ]

    def maps(self, places: Tensor) -> Tensor:
        """Gradient times way at some places, in batches, [place, patch]."""
        maps, planned = [], self.done + len(places)
        for some in places.split(self.at_once):
            maps.append(self._gradients(some))
            self.done += len(some)
            self.report(self.done, planned)
        return torch.cat(maps)

    def _gradients(self, places: Tensor) -> Tensor:
        """Gradient times way at some places, [place, patch]."""
        tokens = self._at(places).requires_grad_()
        (gradient,) = torch.autograd.grad(self._value(tokens).sum(), tokens)
        return (self.way * gradient)[:, self.trace.prefix :].sum(dim=-1)

    def _climb(self, places: list[float]) -> None:
        """Note the target at some places."""
        with torch.no_grad():
            for some in torch.tensor(places, dtype=torch.float64).split(self.at_once):
                self.heights.update(zip(some.tolist(), self._value(self._at(some)).tolist(), strict=True))

    def _at(self, places: Tensor) -> Tensor:
        return self.start + places.float()[:, None, None] * self.way

    def _value(self, tokens: Tensor) -> Tensor:
        model = self.trace.model
        with plain_arithmetic(), without_hooks():
            return self.target(model.forward_from(model.norm_pre(tokens), self.trace.grid))


def _tokens(trace: Trace, pixels: Tensor) -> Tensor:
    """The patches' embeddings with positions and prefix tokens, [1, token, D]: of the patches a shifted copy."""
    with plain_arithmetic(), without_hooks(), torch.no_grad(), capture("embed.tokens") as kept:
        trace.model.embed(pixels[None])
    return kept["embed.tokens"]


class IntegratedGradients(Method):
    """Gradients on the way from an image without content."""

    name, title, unit = "integrated_gradients", "Integrated gradients", "part of the target"
    paper, url = "Sundararajan et al. 2017, equation 1", "https://arxiv.org/abs/1703.01365"
    explain = staticmethod(integrated_gradients)
    slow = True
    parameters = (
        Parameter("steps", "Steps on the way", 32, lambda *_: (8, 16, 32, 64, 128), lambda steps: f"{steps} steps"),
        baseline_parameter("Start", "blur", "from"),
    )

    def summary(self, config: ViTConfig) -> str:
        """Sentences on what it computes."""
        return (
            "Goes step by step from an image without content to this one and adds up the target's gradient on the way. "
            "The numbers of all patches sum to how much the target differs between the two images."
        )

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True."""
        return True

    def passes(self, parameters: Chosen, trace: Trace) -> tuple[int, float]:
        """Steps with a way back each; until completeness, usually some times as many as at first."""
        refined = 1 if "completeness" in parameters else REFINED
        return refined * parameters["steps"], BACKWARD

    def coarser(self, parameters: Chosen, trace: Trace) -> list[dict[str, Any]]:
        """A few steps, complete or not."""
        return [{"steps": FEW_STEPS, "completeness": None}] if parameters["steps"] > FEW_STEPS else []

    def coarse_words(self, parameters: Chosen) -> str:
        """Number of steps."""
        return self.parameters[0].words(parameters["steps"])
