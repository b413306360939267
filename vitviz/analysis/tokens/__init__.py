"""The space that tokens live in: what is alike there, what stands out, and what can be read from it.

from vitviz import tokens

stages = tokens.stream(trace)                       # float32 [1 + layer, token, D]
seen = tokens.pca_of_layers(stages[1:, trace.prefix :])
tokens.similarity(stages[12], 40)                   # cosine of token 40 with all others
tokens.outliers(trace, layer=11).tokens             # those that the model may use as registers
"""

from .attention_received import attention_share, received
from .cosine import directions, similarity
from .pca import Components, PcaOfLayers, colours, pca_of_layers, principal
from .probe import Places, PositionProbe, places_of, position_probe, probed, read_places, ridge
from .projection import METHODS, project
from .token_norms import Outliers, norms, outliers, outliers_in, stream

__all__ = [
    "METHODS",
    "Components",
    "Outliers",
    "PcaOfLayers",
    "Places",
    "PositionProbe",
    "attention_share",
    "colours",
    "directions",
    "norms",
    "outliers",
    "outliers_in",
    "pca_of_layers",
    "places_of",
    "position_probe",
    "principal",
    "probed",
    "project",
    "read_places",
    "received",
    "ridge",
    "similarity",
    "stream",
]
