"""Section 1 of the page "Lens": prediction for the whole image after each layer."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.logit_lens import depth_label
from ....analysis.predictions import class_name
from ...app.messages import escape_markdown
from ...widgets import drawing
from ...widgets.charts import draw_chart
from ...widgets.strips import number
from . import lens_outputs
from .depth_curves import Curve, curves
from .lens_view import LensView

TOP = 5  # number of classes of the last layer with a curve


def after_each_layer(view: LensView) -> None:
    """Draw the curves over depth and a table with a row per layer."""
    classes = view.lens.model.is_classifier
    st.header("1 · Whole image", anchor=False)
    with st.container(key="lens_own_output" if view.target.key == ("similarity", "own") else "lens_target"):
        st.markdown(  # not `draw_text`: names of classes and files come from others
            _settling_text(view)
            if classes
            else f"Cosine of the output after each layer with {escape_markdown(view.target.name)}: 1 for the same "
            "direction, 0 if orthogonal. Norm: L2 norm of the output at that depth."
        )
    left, right = st.columns([0.62, 0.38], gap="large")
    with left:
        chart = curves(
            _class_curves(view) if classes else _similarity_curves(view),
            "probability" if classes else "cosine",
            view.depth,
            signed=view.target.signed,
        )
        draw_chart(chart, "lens_curves", f"{view.target.quantity} by layer")
    with right:
        st.html(_class_table(view) if classes else _similarity_table(view))


def _settling_text(view: LensView) -> str:
    lens, tops = view.lens, view.lens.tops()
    name, settled = class_name(lens.model, int(tops[-1])), lens.settled()
    others = len(set(tops.tolist()) - {int(tops[-1])})
    where = f"is top-1 from layer {settled} on" if settled else "is top-1 at every depth"
    before = f"; before that, {others} other {'class is' if others == 1 else 'classes are'}" if others else ""
    dotted = (
        f" Dotted: classes that are top-1 at some depth but not in the final top {TOP}."
        if len(lens.leading(TOP)) > min(TOP, lens.outputs.shape[1])
        else ""
    )
    return f"The prediction “{escape_markdown(name)}” {where}{before}.{dotted}"


def _similarity_curves(view: LensView) -> list[Curve]:
    """Return the curve of the whole image; for the default reference also the mean of the patches."""
    if view.target.value is not None:
        return [_curve(view)]
    mean = lens_outputs.patch_outputs(view.choice, view.target.key, None).mean(axis=(1, 2))
    return [_curve(view, "the whole image", view.target.curve, bold=True), _curve(view, "mean of the patches", mean)]


def _class_curves(view: LensView) -> list[Curve]:
    """Return the curves of the target class, of the final top classes, and of classes that lead at some depth."""
    probabilities, leading = view.lens.probabilities(), view.lens.leading(TOP)
    return [
        _curve(view),
        *(
            _curve(view, class_name(view.lens.model, index), probabilities[:, index], dotted=place >= TOP)
            for place, index in enumerate(leading)
            if index != view.target.value
        ),
    ]


def _curve(
    view: LensView, name: str | None = None, values: np.ndarray | None = None, dotted: bool = False, bold: bool = False
) -> Curve:
    """Return a curve of the chart; by default that of the target."""
    name, bold = (view.target.name, True) if name is None else (name, bold)
    values = view.target.curve if values is None else values
    return Curve(html.escape(name), values, [view.target.format(float(value)) for value in values], bold, dotted)


def _class_table(view: LensView) -> str:
    probabilities, tops = view.lens.probabilities(), view.lens.tops()
    other = int(tops[-1]) != view.target.value
    rows = [
        [
            _marked(view, depth),
            html.escape(class_name(view.lens.model, int(top))),
            drawing.bar(float(probabilities[depth, top]), view.target.format(float(probabilities[depth, top]))),
            *([view.target.format(float(view.target.curve[depth]))] if other else []),
        ]
        for depth, top in enumerate(tops)
    ]
    target = [f"of “{html.escape(view.target.name)}”"] if other else []
    return drawing.table(["readout", "top-1 class", "probability", *target], rows)


def _similarity_table(view: LensView) -> str:
    norms = np.linalg.norm(view.lens.outputs, axis=1)
    rows = [
        [_marked(view, depth), drawing.bar(float(value), view.target.format(float(value))), number(float(norm), 2)]
        for depth, (value, norm) in enumerate(zip(view.target.curve, norms, strict=True))
    ]
    return drawing.table(["readout", "cosine", "norm"], rows)


def _marked(view: LensView, depth: int) -> str:
    return f"<b>{depth_label(depth)}</b>" if depth == view.depth else depth_label(depth)
