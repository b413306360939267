"""Comparison of two images, of two models, and of a model before and after fine-tuning.

from vitviz.analysis import comparison

matches = comparison.match(trace_a, trace_b, layer=8)        # two images, one model
comparison.joint_pca([trace_a, trace_b], layer=11)           # one basis of components for several images
comparison.head_resemblance(trace_a, trace_b, 3, 2)          # one image, two models; grids may differ
comparison.cka(model_a, model_b, images).values              # [layer of A, layer of B]
comparison.compare(before, after).sentences()                # one image, two checkpoints of one architecture

Layers, heads and patches count from 0; patches are numbered row by row, without the prefix tokens.
"""

from .before_after import compare
from .changes import QUANTITIES, Change, Comparison, OutputChange
from .divergence import attention_divergence, jensen_shannon
from .layer_similarity import Cka, cka, linear_cka
from .matching import Matches, match
from .places import counterparts
from .resemblance import MEASURES, by_resemblance, head_resemblance
from .shared_components import MOST_IMAGES, JointPca, joint_pca

__all__ = [
    "MEASURES",
    "MOST_IMAGES",
    "QUANTITIES",
    "Change",
    "Cka",
    "Comparison",
    "JointPca",
    "Matches",
    "OutputChange",
    "attention_divergence",
    "by_resemblance",
    "cka",
    "compare",
    "counterparts",
    "head_resemblance",
    "jensen_shannon",
    "joint_pca",
    "linear_cka",
    "match",
]
