"""The MLP of a block, or of a pooling, for one token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.arithmetic import Linear, Normed, activated, after, normed_if
from ...errors.brief import brief
from ...model.config import Activation
from ...model.layers import GatedMlp, PlainMlp


@brief
@dataclass(frozen=True, eq=False)
class MlpSteps:
    """The MLP for one token: up, activation, down. Numbers by hand are float64, weights float32.

    Attributes:
        norm: the norm before it; None if it has none of its own (post-norm and parallel blocks).
        entered: what it reads, [D].
        up: the map to the hidden channels, weight [D, hidden].
        gate: in a gated MLP the map whose result goes through the activation, weight [D, hidden]; or None.
        pre_activation: what `up` made, [hidden].
        gating: what `gate` made, [hidden]; or None.
        hidden: the activation of `pre_activation`; or of `gating`, times `pre_activation`; [hidden].
        hidden_norm: the norm of the hidden channels, where the model has one.
        down: the map back, weight [hidden, D].
        result: what it made, [D].
    """

    norm: Normed | None
    entered: np.ndarray
    up: Linear
    gate: Linear | None
    pre_activation: np.ndarray
    gating: np.ndarray | None
    hidden: np.ndarray
    hidden_norm: Normed | None
    down: Linear
    result: np.ndarray


def mlp_steps(mlp: PlainMlp | GatedMlp, activation: Activation, x: np.ndarray, norm: Normed | None = None) -> MlpSteps:
    """An MLP by hand, for one token.

    Args:
        mlp: the module, for its weights.
        activation: what it is called in the configuration.
        x: what comes to it, [D].
        norm: what a norm before it made of that; None if it reads `x`.
    """
    entered, gated = after(norm, x), isinstance(mlp, GatedMlp)
    up = Linear.of(mlp.fc1_x if gated else mlp.fc1)
    gate = Linear.of(mlp.fc1_g) if gated else None
    pre_activation, gating = up(entered), gate(entered) if gated else None
    hidden = activated(gating, activation) * pre_activation if gated else activated(pre_activation, activation)
    hidden_norm, down = normed_if(hidden, mlp.norm), Linear.of(mlp.fc2)
    return MlpSteps(
        norm=norm,
        entered=entered,
        up=up,
        gate=gate,
        pre_activation=pre_activation,
        gating=gating,
        hidden=hidden,
        hidden_norm=hidden_norm,
        down=down,
        result=down(after(hidden_norm, hidden)),
    )
