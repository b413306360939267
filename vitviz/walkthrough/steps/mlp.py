"""MLP of a block, or of an attention pooling, for one token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.arithmetic import Linear, Normed, activated, norm_output, optional_norm
from ...errors.brief import brief
from ...model.config import Activation
from ...model.layers import GatedMlp, PlainMlp


@brief
@dataclass(frozen=True, eq=False)
class MlpSteps:
    """MLP for one token, step by step. Results are float64, weights float32.

    Attributes:
        norm: norm before the MLP; None in post-norm and parallel blocks.
        entered: input, [D].
        up: linear map to the hidden channels, weight [D, hidden].
        gate: linear map of the gate in a gated MLP, weight [D, hidden]; or None.
        pre_activation: output of `up`, [hidden].
        gating: output of `gate`, [hidden]; or None.
        hidden: activation of `pre_activation`, or activation of `gating` times `pre_activation`, [hidden].
        hidden_norm: norm of the hidden channels, if the model has one; or None.
        down: linear map back to D channels, weight [hidden, D].
        result: output, [D].
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
    """Compute an MLP for one token.

    Args:
        mlp: module with the weights.
        activation: name of the activation function in the configuration.
        x: input, [D].
        norm: norm of the input; None if there is no norm before the MLP.
    """
    entered, gated = norm_output(norm, x), isinstance(mlp, GatedMlp)
    up = Linear.of(mlp.fc1_x if gated else mlp.fc1)
    gate = Linear.of(mlp.fc1_g) if gated else None
    pre_activation, gating = up(entered), gate(entered) if gated else None
    hidden = activated(gating, activation) * pre_activation if gated else activated(pre_activation, activation)
    hidden_norm, down = optional_norm(hidden, mlp.norm), Linear.of(mlp.fc2)
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
        result=down(norm_output(hidden_norm, hidden)),
    )
