"""From an image to a sequence of tokens, step by step in plain numpy, with all intermediate results.

X = [w_CLS; x_1 W_LP + b; ...; x_N W_LP + b] + W_pos (ViT, https://arxiv.org/abs/2010.11929, equation 1, which leaves
out the bias b).
"""

from .embedding import Embedded, embedded, prefix_tokens, sequence
from .patches import flat_index, flattened, patch_matrix, patch_pixels, unflatten_index
from .positions import (
    all_position_similarities,
    position_embedding,
    position_similarity,
    relative_bias,
    rotary_angles,
    rotary_similarity,
)
from .projection import Projected, filter_responses, filters, has_bias, principal_filters, project, projection
from .shuffling import Features, Shuffled, features, rearranged, shuffled
from .sizes import BlockCost, SequenceSizes, block_cost, sequence_sizes

__all__ = [
    "BlockCost",
    "Embedded",
    "Features",
    "Projected",
    "SequenceSizes",
    "Shuffled",
    "all_position_similarities",
    "block_cost",
    "embedded",
    "features",
    "filter_responses",
    "filters",
    "flat_index",
    "flattened",
    "has_bias",
    "patch_matrix",
    "patch_pixels",
    "position_embedding",
    "position_similarity",
    "prefix_tokens",
    "principal_filters",
    "project",
    "projection",
    "rearranged",
    "relative_bias",
    "rotary_angles",
    "rotary_similarity",
    "sequence",
    "sequence_sizes",
    "shuffled",
    "unflatten_index",
]
