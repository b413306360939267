"""Stops of the tour and the lesson."""

from __future__ import annotations

from dataclasses import dataclass

# Selectors. `host >>> inner` selects `inner` in the shadow root of a component inside `host`.
MAP = ".st-key-lesson_map"
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
MODEL_BOX = ".st-key-model, [data-testid=stExpandSidebarButton]"
OTHER_PAGES = "[data-testid=stTopNavLink][href$=tokens], [data-testid=stExpandSidebarButton]"


@dataclass(frozen=True)
class Stop:
    """Stop of a guide. Elements are given as CSS selectors.

    Attributes:
        page: address of the page, such as `"sequence"`.
        title: title of the card.
        text: text of the card.
        part: section of the page to scroll to.
        target: highlighted element; `part` if None. If it does not exist or does not fit next to the card, which never
            covers it, `small` or the heading of the part is highlighted instead.
        hint: action that the user may try; None if there is none.
        watch: element whose change completes the hint.
        attributes: data attributes of `watch` to compare; if empty, its text and input values are compared.
        small: element highlighted instead of the target.
        under: element that sticks to the top of narrow windows; the target must be below it.
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
    "Reverse the direction",
    "Now see which patches attend to this patch, instead of what it attends to.",
    ".st-key-explorer",
    DIRECTION,
    "Choose “Attended to by”.",
    EXPLORER,
    ("direction",),
)  # in the tour and in the lesson


def heading(part: str) -> str:
    """Return the selector of the heading of a section."""
    return f"{part} [data-testid=stHeading]"


def image_of(picker: str) -> str:
    """Return the selector of the picture of a patch picker, without its legend and texts."""
    return picker.replace("patch-picker", "patch-picker-image")


def first_figure(part: str) -> str:
    """Return the selector of the first figure of a section."""
    return f"{part} [data-testid=stHtml]"
