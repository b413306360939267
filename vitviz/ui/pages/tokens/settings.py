"""Settings of the page "Tokens"."""

from __future__ import annotations

from ....analysis.tokens.lengths import TIMES
from ....notation.marks import one_of
from ...app.settings import Setting
from ..attention.settings import PLACE

SECTIONS = ("Colours", "Similarity", "Norms", "Points", "Places")
EACH, ALL = "on each layer", "on all layers"

SECTION = Setting("tokens_section", SECTIONS[0], "section", read=lambda text, _: one_of(SECTIONS)(text), always=True)
FITTED = Setting("pca_fitted", EACH)
FOREGROUND = Setting("pca_foreground", False)
SWAP = Setting("pca_swap", False)
CENTRED = Setting("similarity_centred", False)
OUTLIER_TIMES = Setting("outlier_times", TIMES)
METHOD = Setting("plane_method", "pca")
SETTINGS = (PLACE, SECTION)
