"""Attribution: methods that say which patches mattered for an output, each with its source, and how to judge them.

    vitviz.explain(model, "cat.jpg").map                               # float32 [rows, columns]
    vitviz.explain(model, trace, method="legrad", target="three").map  # a class, by name or number; of a trace
    vitviz.explain(model, trace, target=vitviz.DifferenceTarget("three", "five")).map

`vitviz.faithfulness` measures how well a map tells what the model needs.
"""

from . import faithfulness
from .explanation import Attribution, explain
from .method import Method, Parameter, register
from .methods import METHODS
from .targets import ClassTarget, DifferenceTarget, SimilarityTarget, Target

__all__ = [
    "METHODS",
    "Attribution",
    "ClassTarget",
    "DifferenceTarget",
    "Method",
    "Parameter",
    "SimilarityTarget",
    "Target",
    "explain",
    "faithfulness",
    "register",
]
