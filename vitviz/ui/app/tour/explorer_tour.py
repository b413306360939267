"""The tour: the explorer in five stops, which take two minutes."""

from __future__ import annotations

from ....model.config import ViTConfig
from .stops import ATTENTION, EXPLORER, HEAD, HEADS, OTHER_PAGES, OWN_IMAGE, REVERSE, Stop


def explorer_tour(config: ViTConfig) -> tuple[Stop, ...]:
    """All stops in their order."""
    one = config.depth * config.num_heads == 1
    return (
        Stop(
            "explore",
            "Point and look",
            "The model has cut the image into patches. Bright is where the one under your pointer looks.",
            ".st-key-explorer",
            ATTENTION,
            "Point at a patch, or tap one.",
            EXPLORER,
            ("query",),
        ),
        Stop(
            "explore",
            "Every head of every layer",
            "Rows are layers, columns are heads. Each looks for something else.",
            ".st-key-explorer",
            HEADS,
            "Choose a small map." if not one else None,
            EXPLORER if not one else None,
            ("layer", "head") if not one else (),
            small=HEAD,
            under=ATTENTION,
        ),
        REVERSE,
        Stop(
            "explore",
            "Your own image",
            "Drop or paste one anywhere on the page, take a photo, or draw. The address bar is always a link to what "
            "you see.",
            ".st-key-explorer",
            OWN_IMAGE,
        ),
        Stop(
            "explore",
            "Where to go from here",
            "The other pages show how it works and which patches matter, and let you switch parts off. The lesson on "
            "the first page takes you through the sums.",
            ".st-key-explorer",
            OTHER_PAGES,
        ),
    )
