"""Worksheets for a class: tasks on one image and one model, with answers computed from the same forward pass.

    worksheets(trace, layer=11, head=3, patch=120, count=30)    # one for each pupil, each about another patch

The tasks follow the lesson: counting patches, counting them for another patch size, completing a dot product of a query
and a key, ordering heads by attention distance, and predicting the strongest attention weight.
"""

from .dot_product import DotProduct, dot_product
from .heads import HeadOrder, head_order
from .prediction import Prediction, prediction
from .sheet import MOST_PUPILS, Worksheet, chosen_patches, worksheets
from .sizes import other_sizes

__all__ = [
    "MOST_PUPILS",
    "DotProduct",
    "HeadOrder",
    "Prediction",
    "Worksheet",
    "chosen_patches",
    "dot_product",
    "head_order",
    "other_sizes",
    "prediction",
    "worksheets",
]
