"""Attention rollout: share of each patch in the output if attention only averaged tokens."""

import numpy as np
import torch
from torch import Tensor

from ...errors import ModelError
from ...errors.arguments import one_of, share
from ...model.config import ViTConfig
from ...notation.marks import percent
from ...trace.trace import Trace
from .method import Method, Parameter
from .readout_weights import patch_map, readout_weights

FEW_TOKENS = 512  # up to this number, the matrices of all heads are computed at once
FUSIONS = {
    "mean": lambda weights: weights.mean(dim=0),
    "max": lambda weights: weights.amax(dim=0),
    "min": lambda weights: weights.amin(dim=0),
}


def rollout(trace: Trace, *, head_fusion: str = "mean", discard_ratio: float = 0.0) -> Tensor:
    """Compute attention rollout, float32 [rows, columns]: shares of the output, which sum to 1 with the prefix tokens.

    Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", https://arxiv.org/abs/2005.00928, section 4:
    A = 0.5 W + 0.5 I, rows normalised to sum to 1, and the product A(L) ... A(1) over all layers. Only one row of the
    product is needed: the class token's, or the mean of the patch rows for mean pooling, or the rows weighted by the
    pooling's attention. So a vector is multiplied by the matrices from the last layer to the first.

    Head fusion other than the mean, and discarding, follow Gildenblat's vit-explain (2020). Its code exempts only the
    class token's weight to itself from discarding; here all weights to the class token are exempt, as its comment
    states.

    Args:
        trace: trace of the image.
        head_fusion: `"mean"`, `"max"` or `"min"` over the heads' weights.
        discard_ratio: fraction of each layer's fused weights, the smallest ones, that is set to 0, except weights to
            the class token; 0 or more, below 1.

    Raises:
        ModelError: for differential attention, whose weights may be negative.
        VitvizError: if a parameter has an invalid value.
    """
    fuse = FUSIONS[one_of(head_fusion, tuple(FUSIONS), "head fusion")]
    discarded = share(discard_ratio, "The discard ratio")
    if trace.config.differential:
        raise ModelError("Rollout needs non-negative weights, unlike those of differential attention; use LeGrad.")
    row = readout_weights(trace)
    averages = head_fusion == "mean" and not discarded and not trace.edited  # edited weights may not sum to 1
    for layer in reversed(range(trace.layers)):
        if averages:
            row = (row + _averaged(trace, layer, row)) / 2
            continue
        mixed = fuse(torch.tensor(trace.attention(layer)))  # query key
        if discarded:
            mixed = _without_smallest(mixed, discarded, trace.config.class_token)
        # row @ A with A = (W + I) / 2, normalised, without building the matrix; the factors 1 / 2 cancel.
        row = row / (mixed.sum(dim=1) + 1)
        row = row @ mixed + row
    return patch_map(row, trace)


def _averaged(trace: Trace, layer: int, row: Tensor) -> Tensor:
    """Return row @ W for the mean W of the heads' weights, [token], without building W."""
    tokens = row.nonzero()[:, 0].tolist()
    if len(tokens) == 1:  # of the last layer, a class token needs one row only
        return float(row[tokens[0]]) * _tensor(trace.attention(layer, query=tokens[0])).mean(dim=0)
    if trace.token_count <= FEW_TOKENS:
        return (row @ _tensor(trace.attention(layer))).mean(dim=0)
    # One head at a time stays in the processor's cache. The products are torch's: the threads of numpy's BLAS would
    # compete with torch's threads for the cores.
    return torch.stack([row @ _tensor(trace.attention(layer, head)) for head in range(trace.heads)]).mean(dim=0)


def _tensor(weights: np.ndarray) -> Tensor:
    # recorded weights are read-only, which tensors cannot be
    return torch.from_numpy(weights) if weights.flags.writeable else torch.tensor(weights)


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
        """Describe the method."""
        output = {
            "attention": "the pooled feature",
            "distilled": "the mean of the class token and the distillation token",
        }.get(config.pooling, config.pooling_description)
        return (
            f"Share of each patch in {output} if attention only averaged tokens: the product of all layers' attention, "
            "each layer averaged with the residual connection. Values, MLPs and the target are ignored."
        )

    def format(self, value: float) -> str:
        """Format a share of the output."""
        return percent(value)
