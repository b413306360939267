"""Attention rollout: how much of each patch reaches the output, if attention only mixed tokens."""

import torch
from torch import Tensor

from ...errors import ModelError
from ...errors.arguments import one_of, share
from ...model.config import ViTConfig
from ...notation.marks import percent
from ...trace.trace import Trace
from .method import Method, Parameter
from .reading import patch_map, reading

FUSIONS = {
    "mean": lambda weights: weights.mean(dim=0),
    "max": lambda weights: weights.amax(dim=0),
    "min": lambda weights: weights.amin(dim=0),
}


def rollout(trace: Trace, *, head_fusion: str = "mean", discard_ratio: float = 0.0) -> Tensor:
    """Attention rollout, float32 [rows, columns]: shares of the output, which with the prefix tokens' sum to 1.

    Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", https://arxiv.org/abs/2005.00928, section 4:
    A = 0.5 W + 0.5 I, its rows scaled to sum to 1, and the product A(L) ... A(1) of all layers. Of that product only
    the row of the class token is needed (the mean of the patches' rows, if the mean is the feature; the pooling's own
    attention before them, if it has one), so a vector is multiplied with the matrices from the last layer down.

    Fusion of the heads other than by their mean, and discarding, are those of Gildenblat's vit-explain (2020). Its code
    spares only the class token's weight to itself; here all weights to the class token are, as its comment means.

    Args:
        trace: what is explained.
        head_fusion: `"mean"`, `"max"` or `"min"` of the heads' weights.
        discard_ratio: this share of the fused weights of a layer, the smallest ones, becomes 0; never those to the
            class token. From 0 to below 1.

    Raises:
        ModelError: for differential attention, whose weights are no shares.
        VitvizError: for parameters that are not possible.
    """
    fuse = FUSIONS[one_of(head_fusion, tuple(FUSIONS), "head fusion")]
    discarded = share(discard_ratio, "The discard ratio")
    if trace.config.differential:
        raise ModelError("Rollout multiplies shares, and differential attention has negative weights; take LeGrad.")
    row = reading(trace)
    for layer in reversed(range(trace.layers)):
        mixed = fuse(torch.tensor(trace.attention(layer)))  # query key
        if discarded:
            mixed = _without_smallest(mixed, discarded, trace.config.class_token)
        # A row of (W + I) / 2, scaled to sum to 1, without building the matrix; the halves cancel.
        row = row / (mixed.sum(dim=1) + 1)
        row = row @ mixed + row
    return patch_map(row, trace)


def _without_smallest(weights: Tensor, ratio: float, class_token: bool) -> Tensor:
    smallest = weights.flatten().topk(int(weights.numel() * ratio), largest=False, sorted=False).indices
    if class_token:
        smallest = smallest[smallest % len(weights) != 0]
    return weights.flatten().index_fill(0, smallest, 0).view_as(weights)


class Rollout(Method):
    """Attention rollout."""

    name, title, unit = "rollout", "Rollout", "share of the output"
    paper, url = "Abnar & Zuidema 2020, section 4", "https://arxiv.org/abs/2005.00928"
    explain = staticmethod(rollout)
    targeted = runs_model = False
    holds_weights = True
    parameters = (
        Parameter("head_fusion", "Heads", "mean", lambda *_: tuple(FUSIONS), lambda fusion: f"{fusion} of the heads"),
        Parameter(
            "discard_ratio",
            "Smallest weights",
            0.0,
            lambda *_: [tenth / 10 for tenth in range(10)],
            lambda ratio: f"{ratio:.0%} discarded".replace("%", " %"),
        ),
    )

    def summary(self, config: ViTConfig) -> str:
        """Sentences on what it computes."""
        output = "what the pooling finds" if config.pooling == "attention" else config.pooling_description
        return (
            f"How much of each patch reaches {output} if attention only mixed tokens: the attention of all layers, "
            "multiplied, with half of each token staying as it is. Values, MLPs and the target are left out."
        )

    def format(self, value: float) -> str:
        """Write a share of the output."""
        return percent(value)
