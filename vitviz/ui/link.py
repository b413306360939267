"""Links: what is looked at, and how, as query parameters. A link reopens the same view.

Layers and heads count from 1, as on screen, and `pool` is the attention of a pooling; a patch is `row-column`, also
from 1; `cls`, `dist` and `reg1` are the class token, the distillation token and the first register. What a link says
wrongly is left out and said in one sentence; the rest of it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..config import POOL
from ..errors import ModelError
from ..images import FITS
from ..trace import Trace
from ..view import DIRECTIONS, View, has_pool, scales
from ..zoo import SHIPPED
from . import models, state

CHOICE = ("image", "model", "size", "fit")
OWN = "own"  # stands for a visitor's own photo, which no link carries
VIEW = ("layer", "head", "query", "direction", "scale")
TOUR = "tour"
SECTION = "section"  # of the page "Tokens"
TARGETS, METHODS, BASELINE = ("target", "target2"), "methods", "baseline"  # of "Explain"
EDITS, SECOND = "edits", "second"  # of "Intervene"
LENS, DEPTH = "lens", "depth"  # of "Lens"
OF_PAGES = (SECTION, *TARGETS, METHODS, BASELINE, EDITS, SECOND, LENS, DEPTH)  # each page reads its own


def read_choice(parameters: Mapping[str, str], samples: Mapping[str, bytes]) -> tuple[dict, list[str]]:
    """The choices that a link makes, by the names in `CHOICE`, and a notice for each that could not be used."""
    chosen, notices = read({"model": _model}, parameters)
    sizes = models.about(chosen.get("model", next(iter(SHIPPED)))).sizes
    understand = {
        "image": one_of(list(samples)),
        "size": lambda text: int(one_of([str(size) for size in sizes])(text)),
        "fit": one_of(FITS),
    }
    own = parameters.get("image") == OWN
    others, more = read(understand, {name: text for name, text in parameters.items() if not (own and name == "image")})
    chosen, notices = chosen | others, notices + more
    if own:
        notices.append("This link was made with somebody's own photo, which is not part of it; this is a sample.")
    unknown = [name[:40] for name in parameters if name not in (*CHOICE, *VIEW, TOUR, *OF_PAGES)]
    if unknown:
        notices.append(f"The link's {listed(unknown)} is not something this page knows and was left out.")
    return chosen, notices


def read_tour(parameters: Mapping[str, str], count: int) -> tuple[int | None, list[str]]:
    """The stop of the tour that a link opens, from 0, and a notice if there is no such stop."""
    stop, notices = read({TOUR: lambda text: counted(text, count)}, parameters)
    return stop.get(TOUR), notices


def read_view(parameters: Mapping[str, str], trace: Trace) -> tuple[View, list[str]]:
    """The view that a link asks for, and a notice for each part that could not be used."""
    layer, notices = read({"layer": lambda text: _layer(text, trace)}, parameters)
    view = View(layer.get("layer", trace.layers - 1))
    understand = {
        "head": lambda text: None if text == "mean" else counted(text, view.heads(trace), "mean"),
        "query": lambda text: _token(text, trace),
        "direction": one_of(DIRECTIONS),
        "scale": one_of(scales(trace)),
    }
    asked, more = read(understand, parameters)
    return replace(view, **asked), notices + more


def choice_parameters(choice: state.Choice) -> dict[str, str]:
    """The query parameters that reopen a choice; a visitor's own image is not part of them."""
    image = choice.picked.name if choice.picked.sample else OWN
    return {"image": image, "model": choice.model, "size": str(choice.size), "fit": choice.fit}


def view_parameters(view: View, trace: Trace) -> dict[str, str]:
    """The query parameters that reopen a view."""
    parameters = {
        "layer": POOL if view.is_pool(trace) else str(view.layer + 1),
        "head": "mean" if view.head is None else str(view.head + 1),
        "direction": view.direction,
        "scale": view.scale,
    }
    return parameters if view.query is None else {**parameters, "query": _token_mark(view.query, trace)}


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


def _model(text: str) -> str:
    if not models.is_ready(text):  # a link causes no download
        raise ValueError(listed([*SHIPPED, "another one that is on this server's disk"]))
    try:
        return models.about(text).name
    except ModelError as error:
        raise ValueError(f"another model, because: {error}") from error


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """What understands one of these words."""

    def understand(text: str) -> str:
        if text not in allowed:
            raise ValueError(listed(allowed))
        return text

    return understand


def _layer(text: str, trace: Trace) -> int:
    if not has_pool(trace):
        return counted(text, trace.layers)
    return trace.layers if text == POOL else counted(text, trace.layers, POOL)


def counted(text: str, count: int, otherwise: str = "") -> int:
    """What a number from 1 to `count` counts, from 0; `otherwise` is another word that is allowed where it is read."""
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= count:
        raise ValueError(f"1 to {count}" + (f" or {otherwise}" if otherwise else ""))
    return int(text) - 1


def _token(text: str, trace: Trace) -> int:
    marks = {_token_mark(token, trace): token for token in range(trace.token_count)}
    if text not in marks:
        rows, columns = trace.grid
        raise ValueError(listed([*list(marks)[: trace.prefix], f"a patch from 1-1 to {rows}-{columns}"]))
    return marks[text]


def _token_mark(token: int, trace: Trace) -> str:
    if token < trace.prefix:
        name = trace.config.prefix_names[token]
        return {"class token": "cls", "distillation token": "dist"}.get(name) or name.replace("register ", "reg")
    row, column = divmod(token - trace.prefix, trace.grid[1])
    return f"{row + 1}-{column + 1}"


def listed(words: Sequence[str]) -> str:
    """`"a, b or c"`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
