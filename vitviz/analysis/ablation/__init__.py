"""Ablation: effect of each head, sublayer or patch on the output, measured by removing it.

    score = class_score(model, "cat")
    effects = sweep_heads(model, trace, score)  # change of the score without each head, [layer, head]

The model is not changed: edits are active for one forward pass, in one thread (see `vitviz.edit`).
"""

from .effects import Score, class_score, distance
from .sweep import sweep_heads, sweep_layers, sweep_patches

__all__ = ["Score", "class_score", "distance", "sweep_heads", "sweep_layers", "sweep_patches"]
