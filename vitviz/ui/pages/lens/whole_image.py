"""Section 1 of the page "Lens": what the model would say of the image after each layer."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.logit_lens import depth_words
from ....analysis.predictions import class_name
from ...app.words import literally
from ...widgets import drawing, panels
from ...widgets.strips import number
from . import lens_outputs
from .depth_curves import Curve, curves
from .lens_view import LensView

TOP = 5  # classes of the last layer that have a curve


def after_each_layer(view: LensView) -> None:
    """The curves over depth, and a table with a row for each layer."""
    classes = view.lens.model.is_classifier
    st.header("1 · The image as a whole", anchor=False)
    st.markdown(  # and not as text with symbols: names of classes and files are other people's
        _settling(view)
        if classes
        else f"How alike the output would be to {literally(view.goal.name)}, if the model stopped there: the cosine of "
        "the two, 1 if they point the same way, 0 if they have nothing in common. Length: of the output at that depth."
    )
    left, right = st.columns([0.62, 0.38], gap="large")
    with left:
        chart = curves(
            _class_curves(view) if classes else _likeness_curves(view),
            "probability" if classes else "cosine",
            view.depth,
            signed=view.goal.signed,
        )
        st.plotly_chart(chart, config=panels.CHART, key="lens_curves", alt=f"{view.goal.what} over the layers")
    with right:
        st.html(_class_table(view) if classes else _likeness_table(view))


def _settling(view: LensView) -> str:
    lens, tops = view.lens, view.lens.tops()
    name, settled = class_name(lens.model, int(tops[-1])), lens.settled()
    others = len(set(tops.tolist()) - {int(tops[-1])})
    where = f"is the likeliest from layer {settled} on" if settled else "is the likeliest at every depth"
    before = f"; before that, {others} other {'class is' if others == 1 else 'classes are'}" if others else ""
    dotted = (
        f" Dotted: classes that lead at some depth and are not among the {TOP} likeliest at the end."
        if len(lens.leading(TOP)) > min(TOP, lens.outputs.shape[1])
        else ""
    )
    return f"The model’s answer, “{literally(name)}”, {where}{before}.{dotted}"


def _likeness_curves(view: LensView) -> list[Curve]:
    """The whole image; beside it its patches on average, where each is compared with its own end."""
    if view.goal.target is not None:
        return [_curve(view)]
    mean = lens_outputs.by_patch(view.choice, view.goal.key, None).mean(axis=(1, 2))
    return [_curve(view, "the whole image", view.goal.curve, bold=True), _curve(view, "mean of the patches", mean)]


def _class_curves(view: LensView) -> list[Curve]:
    """The followed class first, then the likeliest at the end, then those that lead somewhere."""
    likely, leading = view.lens.probabilities(), view.lens.leading(TOP)
    return [
        _curve(view),
        *(
            _curve(view, class_name(view.lens.model, index), likely[:, index], dotted=place >= TOP)
            for place, index in enumerate(leading)
            if index != view.goal.target
        ),
    ]


def _curve(
    view: LensView, name: str | None = None, values: np.ndarray | None = None, dotted: bool = False, bold: bool = False
) -> Curve:
    """A curve of the chart; the followed one if nothing is said."""
    name, bold = (view.goal.name, True) if name is None else (name, bold)
    values = view.goal.curve if values is None else values
    return Curve(html.escape(name), values, [view.goal.say(float(value)) for value in values], bold, dotted)


def _class_table(view: LensView) -> str:
    likely, tops = view.lens.probabilities(), view.lens.tops()
    other = int(tops[-1]) != view.goal.target
    rows = [
        [
            _marked(view, depth),
            html.escape(class_name(view.lens.model, int(top))),
            drawing.bar(float(likely[depth, top]), view.goal.say(float(likely[depth, top]))),
            *([view.goal.say(float(view.goal.curve[depth]))] if other else []),
        ]
        for depth, top in enumerate(tops)
    ]
    followed = [f"of “{html.escape(view.goal.name)}”"] if other else []
    return drawing.table(["read", "likeliest class", "probability", *followed], rows)


def _likeness_table(view: LensView) -> str:
    lengths = np.linalg.norm(view.lens.outputs, axis=1)
    rows = [
        [_marked(view, depth), drawing.bar(float(value), view.goal.say(float(value))), number(float(length), 2)]
        for depth, (value, length) in enumerate(zip(view.goal.curve, lengths, strict=True))
    ]
    return drawing.table(["read", "cosine", "length"], rows)


def _marked(view: LensView, depth: int) -> str:
    return f"<b>{depth_words(depth)}</b>" if depth == view.depth else depth_words(depth)
