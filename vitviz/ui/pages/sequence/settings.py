"""Settings of the page "Image to sequence"."""

from __future__ import annotations

from dataclasses import replace

from ...app.settings import Setting
from ..lesson.followed_token import FOLLOWED
from ..lesson.opening import opening

# Maps on the picture.
PATCHES = "patches"
RESPONSES = "dot product"
POSITIONS = "similar positions"
ROTATIONS = "similar rotations"
BIAS = "position bias"

ON_PICTURE = Setting("on_picture", PATCHES, valid=lambda shown, kinds: shown in kinds)
INDEX = Setting("vector_index", 1, valid=lambda index, count: index <= count)  # component of a patch's vector, from 1
DIMENSION = Setting("dimension", 1, valid=lambda index, count: index <= count)  # dimension of a token, from 1
WHAT_IF = Setting(
    "what_if_patch",
    default=lambda sides: sides[0],
    valid=lambda side, sides: side in sides[1:],
)  # patch side; its context is the model's own side, then all options
SETTINGS = (replace(FOLLOWED, default=opening),)
