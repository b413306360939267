"""Analysis of token vectors: similarity, norms and outliers, PCA, and what a linear probe can read from them.

from vitviz import tokens

stages = tokens.stream(trace)                       # float32 [1 + layer, token, D]
pca = tokens.pca_of_layers(stages[1:, trace.prefix :])
tokens.similarity(stages[12], 40)                   # cosine similarity of token 40 with all tokens
tokens.outliers(trace, layer=11).tokens             # tokens that the model may use as registers

Layers and tokens count from 0; prefix tokens come first.
"""

from .attention_received import attention_share, received
from .cosine import directions, similarity
from .pca import Components, PcaOfLayers, colours, pca_of_layers, principal
from .probe import PatchPositions, PositionProbe, assemble_probe, patch_positions, position_probe, position_r2, ridge
from .projection import METHODS, project
from .token_norms import Outliers, norms, outliers, outliers_in, stream

__all__ = [
    "METHODS",
    "Components",
    "Outliers",
    "PatchPositions",
    "PcaOfLayers",
    "PositionProbe",
    "assemble_probe",
    "attention_share",
    "colours",
    "directions",
    "norms",
    "outliers",
    "outliers_in",
    "patch_positions",
    "pca_of_layers",
    "position_probe",
    "position_r2",
    "principal",
    "project",
    "received",
    "ridge",
    "similarity",
    "stream",
]
