"""Input sequence: prefix tokens and projected patches, plus position embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.arithmetic import Normed, norm_output, numbers, optional_norm
from ...errors.arguments import typed
from ...errors.brief import brief
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..checks import Check
from .patches import patch_matrix
from .positions import position_embedding
from .projection import projection


@brief
@dataclass(frozen=True, eq=False)
class Embedded:
    """One row of the sequence X, with its components.

    Attributes:
        token: token index, prefix tokens first.
        vector: learned vector of a prefix token, or projected patch, [D].
        position: row of W_pos, float32 [D]; zeros if the model has no position embedding.
        row: vector + position, float64 [D].
        norm: norm before the first block, which some models have (CLIP); or None.
        enters: input of the first block, float64 [D].
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
    """Compute one row of the sequence. Patches of a hybrid model are taken from its convolutional network.

    Args:
        trace: trace of the image. If it has recorded `embed.*` and `blocks.0.resid_pre`, no forward pass is needed.
        token: token index, prefix tokens first.

    Raises:
        IndexError: if the token is out of range.
    """
    token, model = trace.token_index(token), trace.model
    names = ["embed.tokens"] + ["blocks.0.resid_pre"] * model.config.pre_norm
    names += ["embed.patches"] * model.config.stem
    recorded = trace.activations(*names)
    patches = slice(token - trace.prefix, token - trace.prefix + 1)
    vector = prefix_tokens(model)[token] if token < trace.prefix else _patches(trace, patches)[0]
    position = position_embedding(model, trace.grid)[token]
    row = vector.astype(np.float64) + position
    norm = optional_norm(row, model.norm_pre)
    checks = {"row": Check("row of the sequence", row, recorded["embed.tokens"][token])}
    if norm is not None:
        checks["enters"] = Check("row after the norm", norm.result, recorded["blocks.0.resid_pre"][token])
    return Embedded(token, vector, position, row, norm, norm_output(norm, row), checks)


@typed
def sequence(trace: Trace) -> Check:
    """Compute the whole sequence X, [token, D], and compare it with the model's; see `embedded`."""
    tokens = np.concatenate([prefix_tokens(trace.model), _patches(trace, slice(None))])
    computed = tokens.astype(np.float64) + position_embedding(trace.model, trace.grid)
    return Check("sequence", computed, trace.activation("embed.tokens"))


@typed
def prefix_tokens(model: VisionTransformer) -> np.ndarray:
    """Return the learned vectors of the prefix tokens, class token first, float32 [prefix, D]."""
    tokens = [numbers(token[0]) for token in (model.cls_token, model.reg_token) if token is not None]
    return np.concatenate([np.zeros((0, model.config.embed_dim), np.float32), *tokens])


def _patches(trace: Trace, which: slice) -> np.ndarray:
    """Compute the projected patches, [patch, D]."""
    if trace.config.stem:
        return trace.activation("embed.patches")[which]
    weight, bias = projection(trace.model)
    patches = patch_matrix(trace)[which].astype(np.float64) @ weight + bias
    return norm_output(optional_norm(patches, trace.model.patch_embed.norm), patches)
