"""Two-minute tour of the explorer, in five stops."""

from __future__ import annotations

from ....model.config import ViTConfig
from ....trace.vision_transformer import VisionTransformer
from .stops import ATTENTION, EXPLORER, HEAD, HEADS, OTHER_PAGES, OWN_IMAGE, REVERSE, Stop


def explorer_tour(config: ViTConfig, _: VisionTransformer | None = None) -> tuple[Stop, ...]:
    """Return all stops, in order."""
    one = config.depth * config.num_heads == 1
    return (
        Stop(
            "explore",
            "Point and look",
            "The image is divided into patches. The patch under your pointer attends to the bright patches.",
            ".st-key-explorer",
            ATTENTION,
            "Point at a patch, or tap one.",
            EXPLORER,
            ("query",),
        ),
        Stop(
            "explore",
            "Every head of every layer",
            "Rows are layers, columns are heads. Each head has its own attention pattern.",
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
            "Drop or paste an image anywhere on the page, take a photo, or draw. The address bar is always a link to "
            "the current view.",
            ".st-key-explorer",
            OWN_IMAGE,
        ),
        Stop(
            "explore",
            "Where to go from here",
            "The other pages show how the model works, which patches matter, and what changes if you ablate parts of "
            "it. The lesson on the first page explains the calculations step by step.",
            ".st-key-explorer",
            OTHER_PAGES,
        ),
    )
