"""The sequence: prefix tokens and projected patches, with their positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.arithmetic import Normed, after, normed_if, numbers
from ...errors.arguments import typed
from ...errors.brief import brief
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..checks import Check
from .patches import patch_matrix
from .places import positions
from .projection import projection


@brief
@dataclass(frozen=True, eq=False)
class Embedded:
    """One row of the sequence X, with what it is made of.

    Attributes:
        token: which row, prefix tokens first.
        vector: the learned vector of a class token or register, or the projected patch, [D].
        position: the row of W_pos that is added, float32 [D]; zeros if the model has no learned positions.
        row: vector + position, float64 [D].
        norm: the norm that follows before the first block in some models (CLIP), by hand; or None.
        enters: what enters the first block, float64 [D].
        checks: `"row"` against `embed.tokens`; with a norm also `"enters"` against `blocks.0.resid_pre`.
    """

    token: int
    vector: np.ndarray
    position: np.ndarray
    row: np.ndarray
    norm: Normed | None
    enters: np.ndarray
    checks: dict[str, Check]


@typed
def embedded(trace: Trace, token: int) -> Embedded:
    """One row of the sequence by hand. Patches of a hybrid model are as its network made them.

    Args:
        trace: whose sequence. If it has recorded `embed.*` (and `blocks.0.resid_pre`), no further forward pass is
            needed.
        token: which token, prefix tokens first.

    Raises:
        IndexError: if there is no such token.
    """
    token, model = trace.token_index(token), trace.model
    names = ["embed.tokens"] + ["blocks.0.resid_pre"] * model.config.pre_norm
    names += ["embed.patches"] * model.config.stem
    recorded = trace.activations(*names)
    patches = slice(token - trace.prefix, token - trace.prefix + 1)
    vector = prefix_tokens(model)[token] if token < trace.prefix else _patches(trace, patches)[0]
    position = positions(model, trace.grid)[token]
    row = vector.astype(np.float64) + position
    norm = normed_if(row, model.norm_pre)
    checks = {"row": Check("row of the sequence", row, recorded["embed.tokens"][token])}
    if norm is not None:
        checks["enters"] = Check("row after the norm", norm.result, recorded["blocks.0.resid_pre"][token])
    return Embedded(token, vector, position, row, norm, after(norm, row), checks)


@typed
def sequence(trace: Trace) -> Check:
    """The whole sequence X by hand and as the model has it, [token, D]; see `embedded`."""
    tokens = np.concatenate([prefix_tokens(trace.model), _patches(trace, slice(None))])
    by_hand = tokens.astype(np.float64) + positions(trace.model, trace.grid)
    return Check("sequence", by_hand, trace.activation("embed.tokens"))


@typed
def prefix_tokens(model: VisionTransformer) -> np.ndarray:
    """The learned tokens before the patches, class token first, float32 [prefix, D]: the same for every image."""
    tokens = [numbers(token[0]) for token in (model.cls_token, model.reg_token) if token is not None]
    return np.concatenate([np.zeros((0, model.config.embed_dim), np.float32), *tokens])


def _patches(trace: Trace, which: slice) -> np.ndarray:
    """Projected patches by hand, [patch, D]."""
    if trace.config.stem:
        return trace.activation("embed.patches")[which]
    weight, bias = projection(trace.model)
    patches = patch_matrix(trace)[which].astype(np.float64) @ weight + bias
    return after(normed_if(patches, trace.model.patch_embed.norm), patches)
