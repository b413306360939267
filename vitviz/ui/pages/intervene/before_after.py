"""Attention and tokens before and after the edits, each pair on one scale."""

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
from ....notation.view import View, has_pool, strongest_patch, token_label
from ....trace.trace import Trace
from ....viz.colour import on_neutral, overlay, tone
from ....viz.explorer.payload import as_jpeg
from ....viz.inline import data_url
from ...app.settings import bound
from ...app.views import VIEW
from ...widgets.strips import number
from .patch_edits import with_patch_edits

SIDE = 420  # pixels of the longer side of a map; small, because every rerun sends it
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
    """Forward passes before and after the edits.

    Attributes:
        before, after: traces without and with the edits.
        edits: the edits.
        view: layer, head and query token to show.
    """

    before: Trace
    after: Trace
    edits: tuple[Edit, ...]
    view: View

    @property
    def layer(self) -> int:
        """Layer whose tokens are shown; the last one if the view shows the pooling."""
        return min(self.view.layer, self.before.layers - 1)


def choose(trace: Trace, view: View) -> None:
    """Draw the boxes of layer, head and query token."""
    count = trace.layers  # the boxes keep `format_func` until the next rerun, so it must not hold the trace
    layers = [*range(count), *([count] if has_pool(trace) else [])]
    heads = [None, *range(view.num_heads(trace))]
    tokens = [*range(trace.prefix), *([] if view.query is None or view.query < trace.prefix else [view.query])]
    tokens = tokens or [view.token(trace)]
    names, pool = {token: token_label(trace, token) for token in tokens}, view.is_pool(trace)
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
            _box("Query", "query", tokens, view.token(trace), names.get)


def _box(label: str, name: str, options: Sequence, value: int | None, format_func: Callable[..., str]) -> None:
    def take(chosen: int | None) -> None:
        VIEW.change(**{name: chosen})

    key = f"intervene_{name}"
    bound(st.selectbox, label, options, key=key, value=value, take=take, format_func=format_func, width=150)


def attention(pair: BeforeAfter, picture: bytes) -> None:
    """Draw the attention of the chosen head before and after, on one scale."""
    view, before = pair.view, pair.before
    st.header("Attention of a head", anchor=False)
    choose(before, view)
    signed = before.config.differential and not view.is_pool(before)
    one, other = (view.weights(trace) for trace in (before, pair.after))
    largest = max(float(np.abs(row[before.prefix :]).max()) for row in (one, other))
    shown = with_patch_edits(picture, pair.after, pair.edits)
    figures = [
        _map("before", before, one, picture, largest, signed, view),
        _map("after", before, other, shown, largest, signed, view),
        _map("after − before", before, other - one, picture, None, True, view),
    ]
    st.html(f'<div class="vv-pair vv-three">{"".join(figures)}</div>')
    moved = 0.5 * float(np.abs(other - one).sum())
    ablated = (
        " The output of this head is ablated; its weights are still computed."
        if any(isinstance(edit, HeadAblation) and edit.target[1:] == (view.layer, view.head) for edit in pair.edits)
        else ""
    )
    # always present, because another line would move what is below
    most = "" if VIEW.is_set() else " By default, this is the head whose attention changes most."
    with st.container(key="attention_of_ablated_head" if ablated else "attention_of_head"):
        st.caption(
            f"{view.label(before)}: attention weights, before and after on the same scale. {percent(moved)} of the "
            f"weight has moved (half the sum of absolute differences).{ablated}{most}"
        )


def _map(
    name: str, trace: Trace, row: np.ndarray, picture: bytes, largest: float | None, signed: bool, view: View
) -> str:
    """Return a map of weights or of their changes over the image, with its scale and a caption."""
    patches = row[trace.prefix :]
    largest = float(np.abs(patches).max()) if largest is None else largest
    tones = tone(patches, "relative", len(row), largest, signed).reshape(trace.grid)
    image = overlay(Image.open(io.BytesIO(picture)).convert("RGB"), tones, "relative", signed=signed)
    top, change = strongest_patch(trace, row), name.startswith("after ")
    format_share = signed_percent if change else percent
    special = f"; {format_share(float(row[: trace.prefix].sum()))} to {prefix_label(trace)}" if trace.prefix else ""
    low, high = (percent(-largest) if signed else "0", percent(largest))
    return (
        f'<figure data-map="{"difference" if change else name}" data-top="{top}" data-weight="{float(row[top]):.9f}">'
        f'<img alt="Attention {name}, {html.escape(view.label(trace))}" src="{data_url(as_jpeg(image))}">'
        f"{_scale(low, high, signed)}<b>{name.capitalize()}</b>: {'largest change' if change else 'maximum'} at "
        f"{token_label(trace, top)}, {format_share(float(row[top]))}{special}</figure>"
    )


def signed_percent(share: float) -> str:
    """Format a change of a share with its sign: `"+1.20 %"`."""
    return f"{'+' if share > 0 else ''}{percent(share)}"


def prefix_label(trace: Trace) -> str:
    """List the prefix tokens: `"the class token and 4 registers"`."""
    names = trace.config.prefix_token_names
    registers = [name for name in names if name.startswith("register")]
    parts = [f"the {name}" for name in names if name not in registers]
    if registers:
        parts.append(f"{len(registers)} registers" if len(registers) > 1 else registers[0])
    return " and ".join(parts)


def tokens(pair: BeforeAfter) -> None:
    """Draw the patch tokens as colours of principal components, fitted without the edits."""
    st.header("Patch tokens", anchor=False)
    prefix, grid, layer = pair.before.prefix, pair.before.grid, pair.layer
    one, other = (trace.tokens(layer)[prefix:] for trace in (pair.before, pair.after))
    components = principal(one)
    low, high = np.percentile(components.scores(one), ENDS, axis=0)
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1) / np.where(sizes > 0, sizes, 1)
    figures = []
    for name, rows in (("before", one), ("after", other)):
        image = Image.fromarray(colours(components.scores(rows), low, high).reshape(*grid, 3))
        figures.append(
            f'<figure><img class="pixels" style="aspect-ratio:{grid[1]}/{grid[0]}" alt="Tokens of the patches after '
            f'layer {layer + 1}, {name}, as colours" src="{data_url(image)}">'
            f"<b>{name.capitalize()}</b></figure>"
        )
    st.html(f'<div class="vv-pair">{"".join(figures)}</div>')
    shares = ", ".join(percent(float(share)) for share in components.explained)
    lowest = int(cosines.argmin())
    st.caption(
        f"Patch tokens after layer {layer + 1}: red, green and blue are the first three principal components, fitted "
        f"without the edits ({shares} of the variance; colours span the 1st to 99th percentile). Mean cosine "
        f"of patch tokens with those before the edits: {number(float(cosines.mean()))}; lowest at "
        f"{token_label(pair.before, prefix + lowest)}, {number(float(cosines[lowest]))}."
    )


def _scale(low: str, high: str, signed: bool) -> str:
    bar = Image.fromarray(on_neutral("relative", signed=signed)[None])
    return f'<div class="vv-scale"><span>{low}</span><img alt="" src="{data_url(bar)}"><span>{high}</span></div>'
