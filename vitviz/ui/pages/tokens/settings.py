"""Settings of the page "Tokens"."""

from __future__ import annotations

from dataclasses import replace

from ....analysis.tokens.token_norms import TIMES
from ....notation.marks import one_of
from ...app import state
from ...app.settings import Setting
from ...app.views import VIEW
from ..attention.settings import with_one_head
from ..lesson.followed_token import at_the_followed_patch

SECTIONS = ("Colours", "Similarity", "Norms", "Points", "Places")
EACH, ALL = "on each layer", "on all layers"

SECTION = Setting("tokens_section", SECTIONS[0], "section", read=lambda text, _: one_of(SECTIONS)(text), always=True)
FITTED = Setting("pca_fitted", EACH)
FOREGROUND = Setting("pca_foreground", False)
SWAP = Setting("pca_swap", False)
CENTRED = Setting("similarity_centred", False)
OUTLIER_TIMES = Setting("outlier_times", TIMES)
METHOD = Setting("plane_method", "pca")
PLACE = replace(
    VIEW, shown=lambda view, choice: at_the_followed_patch(with_one_head(view, state.trace(choice)), choice)
)  # layer, head and patch of links
SETTINGS = (PLACE, SECTION)
