"""End of section 1 of the page "Attention": query, key and value on the user's image, after a prediction."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....notation.marks import percent
from ....viz.colour import KEY, QUERY, VALUE
from ...app import state
from ...app.settings import Setting
from ...widgets import drawing
from ..lesson.prediction import SKIPPED, predicted
from .head_view import HeadView

ASKED = Setting("strongest_asked", per=lambda choice: str(hash(choice.key)))  # place of the answered prediction
STRONGEST = 3
LETTERS = "ABC"


def on_the_image(view: HeadView) -> bool:
    """Draw query, key and value on the image; return False while the user still predicts the largest weight.

    The prediction is asked for once per image and model. Once it is answered or skipped, other heads and tokens are
    shown at once.
    """
    st.markdown("**Query, key and value on your image**")
    place = view.layer, view.head, view.query
    candidates = predicted_patches(view) if ASKED.get(view.choice) in (None, place) else ()
    letters = [_lettered(view, token, letter) for token, letter in zip(candidates, LETTERS, strict=False)]
    picture, text = st.columns([2, 3], gap="medium", vertical_alignment="center")
    with text:
        chosen = SKIPPED
        if candidates:
            head = f"layer {view.layer + 1}, head {view.head + 1}"
            question = f"In {head}, which patch gets the largest weight from {view.the(view.query)}?"
            chosen = predicted("strongest", question, LETTERS[: len(candidates)], (view.choice.key, *place))
            if chosen is not None:
                ASKED.set(place, view.choice)
        if chosen not in (None, SKIPPED):
            _compare(view, candidates, LETTERS.index(chosen))
        if chosen is not None:
            _roles(view)
    with picture:
        if chosen is None:
            _draw_image(view, letters, "patches A, B and C")
        else:
            _draw_image(view, [*_lines(view), *letters], "the patches that it attends to most")
    with st.container(key="memory"):
        st.caption("The model attends to all tokens at once, however far apart: an **extremely long-term memory**.")
    return chosen is not None


def predicted_patches(view: HeadView) -> tuple[int, ...]:
    """Return three patches to choose from, in reading order: the one with the largest weight and two others.

    The others are the patch next to the query (for a prefix token, the one in the middle) with the smallest weight,
    and the farthest of the patches with less than a third of the largest weight. Fewer than three such patches, or
    negative weights, give none.
    """
    trace, weights = view.trace, view.steps.weights
    (rows, columns), prefix = trace.grid, trace.prefix
    of_patches = weights[prefix:]
    top = int(of_patches.argmax())
    row, column = view.patch or (rows // 2, columns // 2)
    distance = np.hypot(*(np.divmod(np.arange(rows * columns), columns) - np.array([[row], [column]])))
    weak = of_patches < of_patches[top] / 3
    near, far = np.flatnonzero(weak & (distance > 0) & (distance < 1.5)), np.flatnonzero(weak & (distance >= 2))
    if view.signed or prefix + top == view.query or not len(near) or not len(far):
        return ()
    others = near[of_patches[near].argmin()], far[distance[far].argmax()]
    return tuple(sorted(prefix + int(patch) for patch in (top, *others)))


def _compare(view: HeadView, candidates: tuple[int, ...], guess: int) -> None:
    """Say what was predicted and what the model does."""
    weights = [float(view.steps.weights[token]) for token in candidates]
    right = int(np.argmax(weights))
    listed = ", ".join(
        f"{letter} ({view.name(token)}) {percent(weight)}"
        for letter, token, weight in zip(LETTERS, candidates, weights, strict=False)
    )
    with st.container(key="prediction_strongest"):
        st.markdown(
            f"{'Yes' if guess == right else 'Not this time'}: the largest weight is at {LETTERS[right]}. {listed}."
        )


def _strongest(view: HeadView) -> list[int]:
    """Return the patch tokens with the largest absolute weights."""
    prefix = view.trace.prefix
    order = np.argsort(-np.abs(view.steps.weights[prefix:]), kind="stable")
    return [prefix + int(patch) for patch in order[:STRONGEST]]


def _lines(view: HeadView) -> list[str]:
    """Return frames of the strongest patches, with lines to the query patch, as SVG."""
    shapes, stroke, side = [], _stroke(view), view.trace.config.patch_size
    for token in _strongest(view):
        if view.patch is not None and token != view.query:
            (x, y), (at_x, at_y) = (drawing.centre(patch, side) for patch in (view.patch, view.patch_of(token)))
            shapes.append(
                f'<line x1="{at_x}" y1="{at_y}" x2="{x}" y2="{y}" stroke="{VALUE}" stroke-width="{stroke}" '
                f'stroke-linecap="round"/><circle cx="{at_x}" cy="{at_y}" r="{stroke}" fill="{VALUE}"/>'
            )
        shapes.append(drawing.frame(view.patch_of(token), side, KEY, stroke))
    return shapes


def _roles(view: HeadView) -> None:
    """Describe query, key and value, and the largest weights."""
    listed = ", ".join(f"{view.name(token)} {percent(float(view.steps.weights[token]))}" for token in _strongest(view))
    query, value = (" (teal frame)", ", green lines") if view.patch is not None else ("", "")
    view.draw_text(
        "Every token has a query {q} (what it looks for), a key {k} (what others find it by) and a value {v} "
        f"(what it passes on{value}). {view.first(view.query)}{query} gives its largest "
        f"weights among the patches (orange frames) to {listed}."
    )


def _lettered(view: HeadView, token: int, letter: str) -> str:
    """Return a frame with a letter, as SVG."""
    side, patch = view.trace.config.patch_size, view.patch_of(token)
    x, y = drawing.centre(patch, side)
    size = max(view.size) / 16
    right, low = x + size < view.size[0], y - size > 0
    at = f'x="{x + (0.8 if right else -0.8) * size}" y="{y - 0.3 * size if low else y + size}"'
    return drawing.frame(patch, side, KEY, _stroke(view)) + (
        f'<text {at} font-family="sans-serif" font-weight="700" font-size="{size}" text-anchor="middle" fill="#fff" '
        f'stroke="#14121b" stroke-width="{size / 5}" paint-order="stroke">{letter}</text>'
    )


def _draw_image(view: HeadView, shapes: list[str], shown: str) -> None:
    if view.patch is not None:
        shapes = [*shapes, drawing.frame(view.patch, view.trace.config.patch_size, QUERY, 1.5 * _stroke(view))]
    alt = f"{view.choice.picked.name}: {view.name(view.query)} and {shown}"
    st.html(drawing.on_image(state.picture(view.choice, drawing.PHOTO), view.size, shapes, alt))


def _stroke(view: HeadView) -> float:
    return max(view.size) / 130
