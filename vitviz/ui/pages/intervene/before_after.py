"""Where a head looks and how the tokens lie, before and after, each pair on one scale."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image

from ....analysis.tokens.pca import ENDS, colours, principal
from ....model.edits import Edit, HeadAblation
from ....notation.marks import percent
from ....notation.view import View, has_pool, strongest_patch, token_words
from ....trace.trace import Trace
from ....viz.colour import on_neutral, overlay, tone
from ....viz.inline import data_url
from ...app.settings import bound
from ...app.views import VIEW
from ...components.explorer.payload import as_jpeg
from ...widgets.strips import number
from .patch_edits import with_patches_off

SIDE = 420  # pixels of the longer side of a map, which comes with every rerun
STYLE = """<style>
.vv-pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0.8rem; max-width: 44rem; }
.vv-pair figure { margin: 0; font-size: 0.85rem; line-height: 1.4; }
.vv-pair.vv-three { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); max-width: none; }
.vv-pair img { display: block; width: 100%; border-radius: 4px; }
.vv-pair .pixels { image-rendering: pixelated; }
.vv-pair b { font-variant-numeric: tabular-nums; }
.vv-scale { display: flex; align-items: center; gap: 0.4rem; font-size: 0.75rem; margin: 0.3rem 0 0.1rem; }
.vv-scale span { opacity: 0.85; white-space: nowrap; }
.vv-pair .vv-scale img { flex: 1; width: 0; min-width: 2rem; height: 0.6rem; border-radius: 0.2rem; }
</style>"""


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """One image before and after.

    Attributes:
        before, after: the two passes.
        edits: what differs between them.
        view: which layer, head and token are shown.
    """

    before: Trace
    after: Trace
    edits: tuple[Edit, ...]
    view: View

    @property
    def layer(self) -> int:
        """The layer whose tokens are shown: the last one, if the pooling is looked at."""
        return min(self.view.layer, self.before.layers - 1)


def choose(trace: Trace, view: View) -> None:
    """The boxes that say which layer, head and token are shown."""
    count = trace.layers  # the boxes keep what writes their options until the page runs again
    layers = [*range(count), *([count] if has_pool(trace) else [])]
    heads = [None, *range(view.heads(trace))]
    tokens = [*range(trace.prefix), *([] if view.query is None or view.query < trace.prefix else [view.query])]
    tokens = tokens or [view.token(trace)]
    names, pool = {token: token_words(trace, token) for token in tokens}, view.is_pool(trace)
    with st.container(horizontal=True):
        _box(
            "Layer",
            "layer",
            layers,
            view.layer,
            lambda at: "pooling" if at == count else f"{at + 1} of {count}",
        )
        _box("Head", "head", heads, view.head, lambda at: "mean" if at is None else f"{at + 1} of {len(heads) - 1}")
        if not pool and len(tokens) > 1:
            _box("Looks from", "query", tokens, view.token(trace), names.get)


def _box(label: str, name: str, options: Sequence, value: int | None, words: Callable[..., str]) -> None:
    def take(chosen: int | None) -> None:
        VIEW.change(**{name: chosen})

    bound(st.selectbox, label, options, key=f"intervene_{name}", value=value, take=take, format_func=words, width=150)


def attention(pair: BeforeAfter, picture: bytes) -> None:
    """Where the chosen head looks, before and after, on one scale."""
    view, before = pair.view, pair.before
    st.header("Where a head looks", anchor=False)
    choose(before, view)
    signed = before.config.differential and not view.is_pool(before)
    one, other = (view.weights(trace) for trace in (before, pair.after))
    largest = max(float(np.abs(row[before.prefix :]).max()) for row in (one, other))
    shown = with_patches_off(picture, pair.after, pair.edits)
    figures = [
        _map("before", before, one, picture, largest, signed, view),
        _map("after", before, other, shown, largest, signed, view),
        _map("after − before", before, other - one, picture, None, True, view),
    ]
    st.html(f'<div class="vv-pair vv-three">{"".join(figures)}</div>')
    moved = 0.5 * float(np.abs(other - one).sum())
    thrown = (
        " What this head finds is thrown away; its weights are computed all the same."
        if any(isinstance(edit, HeadAblation) and edit.target[1:] == (view.layer, view.head) for edit in pair.edits)
        else ""
    )
    # said whatever has moved, for what is below moves with a line more
    most = "" if VIEW.is_set() else " Until you choose one, it is the head that moves most."
    st.caption(
        f"{view.words(before)}: where it looks; weights, before and after on the same scale. {percent(moved)} of the "
        f"weight has moved (half the sum of the differences).{thrown}{most}"
    )


def _map(
    name: str, trace: Trace, row: np.ndarray, picture: bytes, largest: float | None, signed: bool, view: View
) -> str:
    """Weights, or their changes, on the picture; with their scale, and what the colours cannot say."""
    patches = row[trace.prefix :]
    largest = float(np.abs(patches).max()) if largest is None else largest
    tones = tone(patches, "relative", len(row), largest, signed).reshape(trace.grid)
    image = overlay(Image.open(io.BytesIO(picture)).convert("RGB"), tones, "relative", signed=signed)
    top, change = strongest_patch(trace, row), name.startswith("after ")
    say = signed_percent if change else percent
    away = f"; {say(float(row[: trace.prefix].sum()))} to {prefix_words(trace)}" if trace.prefix else ""
    low, high = (percent(-largest) if signed else "0", percent(largest))
    return (
        f'<figure data-map="{"difference" if change else name}" data-top="{top}" data-weight="{float(row[top]):.9f}">'
        f'<img alt="Attention {name}, {html.escape(view.words(trace))}" src="{data_url(as_jpeg(image))}">'
        f"{_scale(low, high, signed)}<b>{name.capitalize()}</b>: {'changes most' if change else 'strongest'} on "
        f"{token_words(trace, top)}, {say(float(row[top]))}{away}</figure>"
    )


def signed_percent(share: float) -> str:
    """A change of a share in words, with its sign: `"+1.20 %"`."""
    return f"{'+' if share > 0 else ''}{percent(share)}"


def prefix_words(trace: Trace) -> str:
    """The tokens before the patches, by name: `"the class token and 4 registers"`."""
    names = trace.config.prefix_token_names
    registers = [name for name in names if name.startswith("register")]
    parts = [f"the {name}" for name in names if name not in registers]
    if registers:
        parts.append(f"{len(registers)} registers" if len(registers) > 1 else registers[0])
    return " and ".join(parts)


def tokens(pair: BeforeAfter) -> None:
    """The patches' tokens as colours, in components that were fitted before."""
    st.header("How the tokens lie", anchor=False)
    prefix, grid, layer = pair.before.prefix, pair.before.grid, pair.layer
    one, other = (trace.tokens(layer)[prefix:] for trace in (pair.before, pair.after))
    found = principal(one)
    low, high = np.percentile(found.scores(one), ENDS, axis=0)
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    alike = (one * other).sum(axis=1) / np.where(sizes > 0, sizes, 1)
    figures = []
    for name, rows in (("before", one), ("after", other)):
        image = Image.fromarray(colours(found.scores(rows), low, high).reshape(*grid, 3))
        figures.append(
            f'<figure><img class="pixels" style="aspect-ratio:{grid[1]}/{grid[0]}" alt="Tokens of the patches after '
            f'layer {layer + 1}, {name}, as colours" src="{data_url(image)}">'
            f"<b>{name.capitalize()}</b></figure>"
        )
    st.html(f'<div class="vv-pair">{"".join(figures)}</div>')
    shares = ", ".join(percent(float(share)) for share in found.explained)
    lowest = int(alike.argmin())
    st.caption(
        f"Patch tokens after layer {layer + 1}: red, green and blue are their first three principal components, fitted "
        f"before and used for both ({shares} of the variance; the colours end at the 1st and 99th percentile). Mean "
        f"cosine of a patch's token with itself before: {number(float(alike.mean()))}; least alike is "
        f"{token_words(pair.before, prefix + lowest)}, {number(float(alike[lowest]))}."
    )


def _scale(low: str, high: str, signed: bool) -> str:
    bar = Image.fromarray(on_neutral("relative", signed=signed)[None])
    return f'<div class="vv-scale"><span>{low}</span><img alt="" src="{data_url(bar)}"><span>{high}</span></div>'
