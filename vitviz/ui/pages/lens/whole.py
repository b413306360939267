"""Section 1 of the page "Lens": what the model would say of the image after each layer."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.logit_lens import depth_words
from ....analysis.predictions import class_name
from ...app.messages import escape_markdown
from ...widgets import drawing, panels
from ...widgets.strips import number
from . import cached
from .charts import Curve, curves
from .look import Look

TOP = 5  # classes of the last layer that have a curve


def after_each_layer(look: Look) -> None:
    """The curves over depth, and a table with a row for each layer."""
    classes = look.lens.model.is_classifier
    st.header("1 · The image as a whole", anchor=False)
    st.markdown(  # and not as text with symbols: names of classes and files are other people's
        _settling(look)
        if classes
        else f"How alike the output would be to {escape_markdown(look.goal.name)}, if the model stopped there: the "
        "cosine of the two, 1 if they point the same way, 0 if they have nothing in common. Length: of the output at "
        "that depth."
    )
    left, right = st.columns([0.62, 0.38], gap="large")
    with left:
        chart = curves(
            _class_curves(look) if classes else _likeness_curves(look),
            "probability" if classes else "cosine",
            look.depth,
            signed=look.goal.signed,
        )
        st.plotly_chart(chart, config=panels.CHART, key="lens_curves", alt=f"{look.goal.what} over the layers")
    with right:
        st.html(_class_table(look) if classes else _likeness_table(look))


def _settling(look: Look) -> str:
    lens, tops = look.lens, look.lens.tops()
    name, settled = class_name(lens.model, int(tops[-1])), lens.settled()
    others = len(set(tops.tolist()) - {int(tops[-1])})
    where = f"is the likeliest from layer {settled} on" if settled else "is the likeliest at every depth"
    before = f"; before that, {others} other {'class is' if others == 1 else 'classes are'}" if others else ""
    dotted = (
        f" Dotted: classes that lead at some depth and are not among the {TOP} likeliest at the end."
        if len(lens.leading(TOP)) > min(TOP, lens.outputs.shape[1])
        else ""
    )
    return f"The model’s answer, “{escape_markdown(name)}”, {where}{before}.{dotted}"


def _likeness_curves(look: Look) -> list[Curve]:
    """The whole image; beside it its patches on average, where each is compared with its own end."""
    if look.goal.target is not None:
        return [_curve(look)]
    mean = cached.by_patch(look.choice, look.goal.key, None).mean(axis=(1, 2))
    return [_curve(look, "the whole image", look.goal.curve, bold=True), _curve(look, "mean of the patches", mean)]


def _class_curves(look: Look) -> list[Curve]:
    """The followed class first, then the likeliest at the end, then those that lead somewhere."""
    likely, leading = look.lens.probabilities(), look.lens.leading(TOP)
    return [
        _curve(look),
        *(
            _curve(look, class_name(look.lens.model, index), likely[:, index], dotted=place >= TOP)
            for place, index in enumerate(leading)
            if index != look.goal.target
        ),
    ]


def _curve(
    look: Look, name: str | None = None, values: np.ndarray | None = None, dotted: bool = False, bold: bool = False
) -> Curve:
    """A curve of the chart; the followed one if nothing is said."""
    name, bold = (look.goal.name, True) if name is None else (name, bold)
    values = look.goal.curve if values is None else values
    return Curve(html.escape(name), values, [look.goal.say(float(value)) for value in values], bold, dotted)


def _class_table(look: Look) -> str:
    likely, tops = look.lens.probabilities(), look.lens.tops()
    other = int(tops[-1]) != look.goal.target
    rows = [
        [
            _marked(look, depth),
            html.escape(class_name(look.lens.model, int(top))),
            drawing.bar(float(likely[depth, top]), look.goal.say(float(likely[depth, top]))),
            *([look.goal.say(float(look.goal.curve[depth]))] if other else []),
        ]
        for depth, top in enumerate(tops)
    ]
    followed = [f"of “{html.escape(look.goal.name)}”"] if other else []
    return drawing.table(["read", "likeliest class", "probability", *followed], rows)


def _likeness_table(look: Look) -> str:
    lengths = np.linalg.norm(look.lens.outputs, axis=1)
    rows = [
        [_marked(look, depth), drawing.bar(float(value), look.goal.say(float(value))), number(float(length), 2)]
        for depth, (value, length) in enumerate(zip(look.goal.curve, lengths, strict=True))
    ]
    return drawing.table(["read", "cosine", "length"], rows)


def _marked(look: Look, depth: int) -> str:
    return f"<b>{depth_words(depth)}</b>" if depth == look.depth else depth_words(depth)
