"""Stops of the tour and of the lesson: what is said there, and what the visitor may try."""

from __future__ import annotations

from dataclasses import dataclass

# How to reach into a component: `host >>> inner` looks for `inner` within the component that is somewhere in `host`.
EXPLORER = ".st-key-explorer >>> [data-testid=explorer]"
PICTURE = ".st-key-sequence_picture >>> [data-testid=patch-picker]"
KEYS = ".st-key-score_picker >>> [data-testid=patch-picker]"
MATRIX = ".st-key-part_sequence >>> [data-testid=sequence-matrix]"
ROWS = ".st-key-part_sequence >>> [data-testid=sequence-matrix-rows]"
CHOSEN_ROW = ".st-key-part_sequence >>> [data-testid=sequence-matrix] [data-ref=chosen]"
ATTENTION = ".st-key-explorer >>> [data-testid=explorer-image]"
HEADS = ".st-key-explorer >>> [data-ref=cells]"
HEAD = f"{HEADS} [aria-pressed=true]"
DIRECTION = ".st-key-explorer >>> [role=radiogroup]"
OWN_IMAGE = ".st-key-sidebar_upload, [data-testid=stExpandSidebarButton]"
OTHER_PAGES = "[data-testid=stTopNavLink][href$=tokens], [data-testid=stExpandSidebarButton]"


@dataclass(frozen=True)
class Stop:
    """One stop.

    Attributes:
        page: the page's address, such as `"sequence"`.
        title: what it is about.
        text: what is said there.
        part: the part of the page to scroll to, as a CSS selector.
        target: what is highlighted, as a CSS selector; the part if None. The card never covers it, so it has to be
            small enough to stand beside the card, also on a phone.
        hint: what the visitor may try; None if there is nothing.
        watch: the hint is done when this element shows something else than before, as a CSS selector.
        attributes: which of the element's data attributes count; what stands in it and in its inputs if empty.
        small: what is highlighted instead where the target is too large to stand beside the card.
        under: what stays at the top of a narrow window while the page scrolls, as a CSS selector: the target has to
            stand below it.
    """

    page: str
    title: str
    text: str
    part: str
    target: str | None = None
    hint: str | None = None
    watch: str | None = None
    attributes: tuple[str, ...] = ()
    small: str | None = None
    under: str | None = None


REVERSE = Stop(
    "explore",
    "Turn the question round",
    "Not where this patch looks, but who looks at it.",
    ".st-key-explorer",
    DIRECTION,
    "Choose “Who looks at it?”.",
    EXPLORER,
    ("direction",),
)  # in the tour and in the lesson


def heading(part: str) -> str:
    """The heading of a part of the page, as a CSS selector."""
    return f"{part} [data-testid=stHeading]"


def image_of(picker: str) -> str:
    """The picture of a patch picker, without its legend and words, as a CSS selector."""
    return picker.replace("patch-picker", "patch-picker-image")


def first_figure(part: str) -> str:
    """The first figure of a part of the page, as a CSS selector."""
    return f"{part} [data-testid=stHtml]"
