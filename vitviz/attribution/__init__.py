"""Why did the model say that? Six methods that say which patches mattered, each with its source, and how to judge them.

    from vitviz.attribution import ClassTarget, explain

    explain(model, "cat.jpg").map                                      # float32 [rows, columns]
    explain(model, trace, method="legrad", target=ClassTarget(3)).map  # of a trace that is there already

`vitviz.attribution.faithfulness` measures how well a map tells what the model needs.
"""

from .explanation import METHODS, Attribution, explain
from .targets import ClassTarget, DifferenceTarget, SimilarityTarget, Target

__all__ = [
    "METHODS",
    "Attribution",
    "ClassTarget",
    "DifferenceTarget",
    "SimilarityTarget",
    "Target",
    "explain",
]
