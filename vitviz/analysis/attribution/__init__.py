"""Attribution methods: one number per patch for its contribution to an output.

    vitviz.explain(model, "cat.jpg").map                               # float32 [rows, columns]
    vitviz.explain(model, trace, method="legrad", target="three").map  # class by name or index, image by trace
    vitviz.explain(model, trace, target=vitviz.DifferenceTarget("three", "five")).map

`vitviz.faithfulness` measures how well a map identifies the patches that the model needs.
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
