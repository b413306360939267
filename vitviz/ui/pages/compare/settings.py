"""Settings of the page "Compare"."""

from __future__ import annotations

from dataclasses import replace

from ....analysis.comparison import MEASURES
from ....notation.marks import format_patch, one_of, parse_number
from ...app import second_image, state
from ...app.settings import Setting
from ...app.views import VIEW
from ...components.match.payload import SHOWS, Shown
from ..attention.settings import with_one_head
from ..lesson.followed_token import at_the_followed_patch
from . import alternatives

MODES = {"images": "Two images", "models": "Two models", "checkpoints": "Before and after"}
ON = "on"
MOST_PARTS = 999  # layers, or heads of a layer
MOST_MORE = 6  # further images in one basis with both pictures


def _read_head(text: str, choice: state.Choice) -> tuple[int, int]:
    parts = text.split("-")
    try:
        layer, head = (parse_number(part, MOST_PARTS) for part in parts)
    except ValueError as error:  # also for more or fewer than two parts
        raise ValueError("a layer and a head from 1, such as 3-2") from error
    return layer, head


def _read_threshold(text: str, _: state.Choice) -> float:
    try:
        value = float(text[:8])
    except ValueError:
        value = 2.0
    if not -1 <= value <= 1:
        raise ValueError("a number from -1 to 1")
    return round(value, 2)


def _read_more(text: str, choice: state.Choice) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    offered = state.samples_for(choice.model)
    if len(names) > MOST_MORE or not set(names) <= set(offered):
        raise ValueError(f"up to {MOST_MORE} of {', '.join(offered)}, separated by commas")
    return names


MODE = Setting("compare_mode", "images", "mode", read=lambda text, _: one_of(MODES)(text), always=True)
SECOND = replace(
    second_image.SECOND, write=lambda mark, choice: mark if MODE.get(choice) == "images" else "", always=True
)
CENTRED = Setting(
    "compare_centred",
    False,
    "centred",
    read=lambda text, _: bool(one_of((ON,))(text)),
    write=lambda value, _: ON if value else "",
)
MORE = Setting(
    "compare_more",
    (),
    "more",
    read=_read_more,
    write=lambda names, _: ",".join(names),
    valid=lambda names, choice: set(names) <= set(state.samples_for(choice.model)) and len(names) <= MOST_MORE,
)
MODEL = Setting(
    "compare_model",
    lambda choice: next(iter(alternatives.of_any_kind(choice)), ""),
    "model2",
    read=lambda text, choice: one_of(alternatives.of_any_kind(choice))(text),
    valid=lambda name, choice: name in alternatives.of_any_kind(choice),
)
CHECKPOINT = Setting(
    "compare_checkpoint",
    alternatives.surely_of_one_architecture,
    "before",
    read=lambda text, choice: one_of(alternatives.of_one_architecture(choice))(text),
    valid=lambda name, choice: name in alternatives.of_one_architecture(choice),
)
HEAD = Setting(
    "compare_head",
    (),
    "head2",
    read=_read_head,
    write=lambda place, _: format_patch(*place) if place else "",
)  # layer and head of the second model, from 0; empty for the head that resembles the first most
MEASURE = Setting("compare_measure", MEASURES[0], "measure", read=lambda text, _: one_of(MEASURES)(text))
SHOW = Setting("compare_show", "similarity", "show", read=lambda text, _: one_of(SHOWS)(text))
LINES = Setting(
    "compare_lines",
    False,
    "lines",
    read=lambda text, _: bool(one_of((ON,))(text)),
    write=lambda value, _: ON if value else "",
)
THRESHOLD = Setting("compare_threshold", 0.5, "threshold", read=_read_threshold, write=lambda value, _: f"{value:g}")
PLACE = replace(
    VIEW,
    shown=lambda view, choice: at_the_followed_patch(with_one_head(view, state.trace(choice)), choice),
    only=("layer", "head", "query"),
)  # layer, head and patch of links
SETTINGS = (PLACE, MODE, SECOND, CENTRED, MORE, MODEL, CHECKPOINT, HEAD, MEASURE, SHOW, LINES, THRESHOLD)


def shown(show: Setting = SHOW) -> Shown:
    """Return what the pictures show, of which `show` is the first setting."""
    return Shown(show.get(), LINES.get(), THRESHOLD.get())


def set_shown(value: Shown, show: Setting = SHOW) -> None:
    """Store what the pictures show, as chosen in the component."""
    show.set(value.show)
    LINES.set(value.lines)
    THRESHOLD.set(value.threshold)
