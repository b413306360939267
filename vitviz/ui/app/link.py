"""Links: what is looked at, and how, as query parameters. A link reopens the same view.

Layers, heads and tokens are written as `vitviz.notation.marks` says. What a link says wrongly is left out and said in
one sentence; the rest of it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ...errors import ModelError
from ...images import FITS
from ...model.config import POOL
from ...notation.marks import (
    MEAN,
    format_size,
    format_token,
    join_words,
    one_of,
    parse_head,
    parse_layer,
    parse_number,
    parse_token,
)
from ...notation.view import DIRECTIONS, View, scales
from ...trace.trace import Trace
from ...viz.colour import Style
from ...zoo import SHIPPED, checkpoints
from . import models, state

CHOICE = ("image", "model", "size", "fit")
OWN = "own"  # stands for a visitor's own photo, which no link carries
VIEW = ("layer", "head", "query", "direction", "scale")
OLD_SCALES = {"share": "relative"}  # in links from before the scale had its name
STYLE = ("overlay", "smooth", "marks")  # how it is drawn
ON = "on"
GUIDE = "guide"  # the tour or the lesson, and the stop
OLD_LESSON = "tour"  # a stop of the lesson, in links from when there was nothing else
SECTION = "section"  # of the page "Tokens"
TARGETS, METHODS, BASELINE = ("target", "target2"), "methods", "baseline"  # of "Explain"
EDITS, SECOND = "edits", "second"  # of "Intervene"
LENS, DEPTH = "lens", "depth"  # of "Lens"
OF_PAGES = (SECTION, *TARGETS, METHODS, BASELINE, EDITS, SECOND, LENS, DEPTH)  # each page reads its own
OURS = (*CHOICE, *VIEW, *STYLE, GUIDE, OLD_LESSON, *OF_PAGES)
LONG = 5  # letters of a name of which one may be wrong: of shorter ones, another word comes of it


def read_choice(parameters: Mapping[str, str], samples: Mapping[str, bytes]) -> tuple[dict, list[str]]:
    """The choices that a link makes, by the names in `CHOICE`, and a notice for each that could not be used.

    A user's own image is none of them: only the browser may have it, see `vitviz.ui.components.own`.
    """
    chosen, notices = read({"model": _model}, parameters)
    understand = {"image": one_of(samples), "fit": one_of(FITS)}
    try:
        sizes = {format_size(size): size for size in models.about(chosen.get("model", next(iter(SHIPPED)))).sizes}
        understand["size"] = lambda text: sizes[one_of(sizes)(text)]
    except ModelError:  # the page says why, and shows nothing that could have a size
        pass
    own = parameters.get("image") == OWN
    others, more = read(understand, {name: text for name, text in parameters.items() if not (own and name == "image")})
    chosen, notices = chosen | others, notices + more
    return chosen, notices + misspelt(parameters)


def misspelt(names: Iterable[str]) -> list[str]:
    """A notice for each name that is nearly one of ours.

    All others are somebody else's: mail programs, search engines and networks put their own into the links that they
    hand on. Those are dropped without a word.
    """
    notices = []
    for name in names:
        meant = None if name in OURS else next((one for one in OURS if _is_slip(name[:40].lower(), one)), None)
        if meant:
            notices.append(f"The link's “{name[:40]}” was left out: “{meant}” may have been meant.")
    return notices


def _is_slip(written: str, meant: str) -> bool:
    """True if one slip is between two names: two neighbours exchanged, or a letter missing, too much or wrong.

    Who leaves letters off the end means another word (`mode` is not `model`), but for the s of a plural.
    """
    if written == meant:
        return True  # in capital letters
    if written[:1] != meant[:1] or (meant.startswith(written) and meant != f"{written}s"):
        return False
    same = 0
    while written[same : same + 1] == meant[same : same + 1] != "":
        same += 1
    one, other = written[same:], meant[same:]
    exchanged = one[:2] == other[1::-1] and one[2:] == other[2:]
    longer_or_shorter = one[1:] == other or one == other[1:]
    wrong = len(meant) >= LONG and one[1:] == other[1:]
    return exchanged or longer_or_shorter or wrong


def read_guide(parameters: Mapping[str, str], counts: Mapping[str, int]) -> tuple[tuple[str, int] | None, list[str]]:
    """The stop that a link opens, as the guide's name and a number from 0, and a notice if there is no such stop.

    Args:
        parameters: of the link; `tour` alone is a stop of the lesson, as older links have it.
        counts: how many stops each guide has, by its name.
    """

    def stop_of(text: str) -> tuple[str, int]:
        guide, _, stop = text.partition("-")
        try:
            return guide, parse_number(stop, counts[guide])
        except (KeyError, ValueError) as error:
            raise ValueError(join_words([f"{name}-1 to {name}-{count}" for name, count in counts.items()])) from error

    understand = {OLD_LESSON: lambda text: ("lesson", parse_number(text, counts["lesson"])), GUIDE: stop_of}
    stops, notices = read(understand, parameters)
    return stops.get(GUIDE, stops.get(OLD_LESSON)), notices


def read_view(parameters: Mapping[str, str], trace: Trace) -> tuple[View, list[str]]:
    """The view that a link asks for, and a notice for each part that could not be used."""
    layer, notices = read({"layer": lambda text: parse_layer(text, trace.config)}, parameters)
    view = View(layer.get("layer", trace.layers - 1))
    understand = {
        "head": lambda text: parse_head(text, view.layer, trace.config),
        "query": lambda text: parse_token(text, trace),
        "direction": one_of(DIRECTIONS),
        "scale": lambda text: one_of(scales(trace))(OLD_SCALES.get(text, text)),
    }
    asked, more = read(understand, parameters)
    return replace(view, **asked), notices + more


def read_style(parameters: Mapping[str, str]) -> tuple[Style, list[str]]:
    """The style that a link asks for, and a notice for each part that could not be used."""
    asked, notices = read({"overlay": _percent, "smooth": _switch, "marks": _switch}, parameters)
    opacity = {"opacity": asked.pop("overlay")} if "overlay" in asked else {}
    return Style(**opacity, **asked), notices


def style_parameters(style: Style) -> dict[str, str]:
    """The query parameters that reopen a style: what differs from the usual one."""
    overlay = {} if style.opacity == Style().opacity else {"overlay": str(style.opacity)}
    return overlay | {name: ON for name in ("smooth", "marks") if getattr(style, name)}


def choice_parameters(choice: state.Choice) -> dict[str, str]:
    """The query parameters that reopen a choice; a visitor's own image is not part of them."""
    image = choice.picked.name if choice.picked.sample else OWN
    return {"image": image, "model": choice.model, "size": format_size(choice.size), "fit": choice.fit}


def view_parameters(view: View, trace: Trace) -> dict[str, str]:
    """The query parameters that reopen a view."""
    parameters = {
        "layer": POOL if view.is_pool(trace) else str(view.layer + 1),
        "head": MEAN if view.head is None else str(view.head + 1),
        "direction": view.direction,
        "scale": view.scale,
    }
    return parameters if view.query is None else {**parameters, "query": format_token(view.query, trace)}


def read(understand: Mapping[str, Callable], parameters: Mapping[str, str]) -> tuple[dict, list[str]]:
    """What parameters mean, and a notice for each that means nothing.

    Args:
        understand: what makes a value of each text, by name; a `ValueError` says what the text can be.
        parameters: texts by name.
    """
    values, notices = {}, []
    for name, value_of in understand.items():
        if name in parameters:
            try:
                values[name] = value_of(parameters[name])
            except ValueError as error:
                notices.append(f"The link's {name} “{parameters[name][:40]}” was left out: it can be {error}.")
    return values, notices


def _percent(text: str) -> int:
    if text == "0":
        return 0
    try:
        return parse_number(text, 100) + 1
    except ValueError as error:
        raise ValueError("0 to 100") from error


def _switch(text: str) -> bool:
    return bool(one_of((ON,))(text))


def _model(text: str) -> str:
    # A link causes no download. A checkpoint that is not here or does not load is not replaced by another model.
    if not models.is_ready(text) and not models.is_checkpoint(text):
        raise ValueError(join_words([*SHIPPED, *checkpoints()[:8], "another one that is on this server's disk"]))
    return text
