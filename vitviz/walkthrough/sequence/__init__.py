"""From an image to a sequence of tokens, step by step in plain numpy, with all intermediate results.

X = [w_CLS; x_1 W_LP; ...; x_N W_LP] + W_pos (ViT, https://arxiv.org/abs/2010.11929, equation 1).
"""

from .embedding import Embedded, embedded, prefix_tokens, sequence
from .patches import flat_index, flattened, patch_matrix, patch_pixels, unflatten_index
from .positions import (
    all_position_similarities,
    position_embedding,
    position_similarity,
    rotary_angles,
    rotary_similarity,
)
from .projection import Projected, filters, principal_filters, project, projection
from .shuffling import Features, Shuffled, features, rearranged, shuffled
from .sizes import SequenceSizes, sequence_sizes

__all__ = [
    "Embedded",
    "Features",
    "Projected",
    "SequenceSizes",
    "Shuffled",
    "all_position_similarities",
    "embedded",
    "features",
    "filters",
    "flat_index",
    "flattened",
    "patch_matrix",
    "patch_pixels",
    "position_embedding",
    "position_similarity",
    "prefix_tokens",
    "principal_filters",
    "project",
    "projection",
    "rearranged",
    "rotary_angles",
    "rotary_similarity",
    "sequence",
    "sequence_sizes",
    "shuffled",
    "unflatten_index",
]
