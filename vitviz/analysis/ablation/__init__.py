"""Switching parts of a model off, one at a time or together, and seeing what changes.

    from vitviz.analysis.ablation import HeadOff, LayerOff, PatchOff, Temperature

    trace = model.trace("cat.jpg", edits=[HeadOff(2, 1), LayerOff(4, "mlp", "mean"), PatchOff(12)])

Nothing is changed on the model: edits are in force for one forward pass, in one thread (see `vitviz.model.hooks.edit`).
"""

from ...model.applying import edit_hooks
from ...model.edits import checked, Copied, Edit, HeadOff, LayerOff, Patched, PatchOff, taken_from, Temperature
from .effects import class_score, distance, Score
from .sweep import sweep_heads, sweep_layers, sweep_patches

__all__ = [
    "Copied",
    "Edit",
    "HeadOff",
    "LayerOff",
    "PatchOff",
    "Patched",
    "Score",
    "Temperature",
    "checked",
    "class_score",
    "distance",
    "edit_hooks",
    "sweep_heads",
    "sweep_layers",
    "sweep_patches",
    "taken_from",
]
