"""Links: what is looked at, and how, as query parameters. A link reopens the same view.

Layers and heads count from 1, as on screen, and `pool` is the attention of a pooling; a patch is `row-column`, also
from 1; `cls`, `dist` and `reg1` are the class token, the distillation token and the first register. What a link says
wrongly is left out and said in one sentence; the rest of it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
EDITS, SECOND = "edits", "second"  # of the page "Intervene", which reads them itself


def read_choice(parameters: Mapping[str, str], samples: Mapping[str, bytes]) -> tuple[dict, list[str]]:
    """The choices that a link makes, by the names in `CHOICE`, and a notice for each that could not be used."""
    chosen, notices = _read({"model": _model}, parameters)
    sizes = models.about(chosen.get("model", next(iter(SHIPPED)))).sizes
    read = {
        "image": _one_of(list(samples)),
        "size": lambda text: int(_one_of([str(size) for size in sizes])(text)),
        "fit": _one_of(FITS),
    }
    own = parameters.get("image") == OWN
    others, more = _read(read, {name: text for name, text in parameters.items() if not (own and name == "image")})
    chosen, notices = chosen | others, notices + more
    if own:
        notices.append("This link was made with somebody's own photo, which is not part of it; this is a sample.")
    unknown = [name[:40] for name in parameters if name not in (*CHOICE, *VIEW, TOUR, EDITS, SECOND)]
    if unknown:
        notices.append(f"The link's {_listed(unknown)} is not something this page knows and was left out.")
    return chosen, notices


def read_tour(parameters: Mapping[str, str], count: int) -> tuple[int | None, list[str]]:
    """The stop of the tour that a link opens, from 0, and a notice if there is no such stop."""
    stop, notices = _read({TOUR: lambda text: _counted(text, count)}, parameters)
    return stop.get(TOUR), notices


def read_view(parameters: Mapping[str, str], trace: Trace) -> tuple[View, list[str]]:
    """The view that a link asks for, and a notice for each part that could not be used."""
    layer, notices = _read({"layer": lambda text: _layer(text, trace)}, parameters)
    view = View(layer.get("layer", trace.layers - 1))
    read = {
        "head": lambda text: None if text == "mean" else _counted(text, view.heads(trace), "mean"),
        "query": lambda text: _token(text, trace),
        "direction": _one_of(DIRECTIONS),
        "scale": _one_of(scales(trace)),
    }
    asked, more = _read(read, parameters)
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


def _read(read: Mapping[str, Callable], parameters: Mapping[str, str]) -> tuple[dict, list[str]]:
    values, notices = {}, []
    for name, understand in read.items():
        if name in parameters:
            try:
                values[name] = understand(parameters[name])
            except ValueError as error:
                notices.append(f"The link's {name} “{parameters[name][:40]}” was left out: it can be {error}.")
    return values, notices


def _model(text: str) -> str:
    if not models.is_ready(text):  # a link causes no download
        raise ValueError(_listed([*SHIPPED, "another one that is on this server's disk"]))
    try:
        return models.about(text).name
    except ModelError as error:
        raise ValueError(f"another model, because: {error}") from error


def _one_of(allowed: tuple[str, ...] | list[str]) -> Callable[[str], str]:
    def understand(text: str) -> str:
        if text not in allowed:
            raise ValueError(_listed(allowed))
        return text

    return understand


def _layer(text: str, trace: Trace) -> int:
    if not has_pool(trace):
        return _counted(text, trace.layers)
    return trace.layers if text == POOL else _counted(text, trace.layers, POOL)


def _counted(text: str, count: int, otherwise: str = "") -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= count:
        raise ValueError(f"1 to {count}" + (f" or {otherwise}" if otherwise else ""))
    return int(text) - 1


def _token(text: str, trace: Trace) -> int:
    marks = {_token_mark(token, trace): token for token in range(trace.token_count)}
    if text not in marks:
        rows, columns = trace.grid
        raise ValueError(_listed([*list(marks)[: trace.prefix], f"a patch from 1-1 to {rows}-{columns}"]))
    return marks[text]


def _token_mark(token: int, trace: Trace) -> str:
    if token < trace.prefix:
        name = trace.config.prefix_names[token]
        return {"class token": "cls", "distillation token": "dist"}.get(name) or name.replace("register ", "reg")
    row, column = divmod(token - trace.prefix, trace.grid[1])
    return f"{row + 1}-{column + 1}"


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
