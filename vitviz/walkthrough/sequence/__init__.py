"""From an image to a sequence of tokens, every step with the numbers that it is made of.

X = [w_CLS; x_1 W_LP; ...; x_N W_LP] + W_pos (ViT, https://arxiv.org/abs/2010.11929, equation 1). Sums are plain numpy.
"""

from .embedding import Embedded, embedded, prefix_tokens, sequence
from .patches import flattened, index_of, patch_matrix, patch_pixels, place_of
from .places import all_position_similarities, position_similarity, positions, rotary_angles, rotary_similarity
from .projection import Projected, filters, principal_filters, project, projection
from .shuffling import Features, Shuffled, features, rearranged, shuffled
from .what_if import Sizes, what_if

__all__ = [
    "Embedded",
    "Features",
    "Projected",
    "Shuffled",
    "Sizes",
    "all_position_similarities",
    "embedded",
    "features",
    "filters",
    "flattened",
    "index_of",
    "patch_matrix",
    "patch_pixels",
    "place_of",
    "position_similarity",
    "positions",
    "prefix_tokens",
    "principal_filters",
    "project",
    "projection",
    "rearranged",
    "rotary_angles",
    "rotary_similarity",
    "sequence",
    "shuffled",
    "what_if",
]
