"""Ablation: what each head, layer or patch contributes, measured by leaving it out.

    score = class_score(model, "cat")
    effects = sweep_heads(model, trace, score)  # change of the score without each head, [layer, head]

Nothing is changed on the model: edits are in force for one forward pass, in one thread (see `vitviz.edit`).
"""

from .effects import Score, class_score, distance
from .sweep import sweep_heads, sweep_layers, sweep_patches

__all__ = ["Score", "class_score", "distance", "sweep_heads", "sweep_layers", "sweep_patches"]
