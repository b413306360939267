"""Section 7 of the page "Attention": from the tokens to the output, and from logits to probabilities."""

from __future__ import annotations

import html
import math

import numpy as np
import streamlit as st

from ....analysis.arithmetic import softmax
from ....analysis.predictions import class_name, predictions
from ....notation.marks import percent
from ...widgets import drawing
from ...widgets.prediction import prediction_bars
from ...widgets.strips import number
from ...widgets.sums import decimals_needed, in_brackets
from ..lesson.sections import draw_checks
from . import layer_activations
from .head_view import HeadView

LISTED = 10  # classes by hand: all digits, or the most probable ones


def output(view: HeadView) -> None:
    """Draw the steps from the tokens to the output."""
    trace, config, steps = view.trace, view.trace.config, layer_activations.readout(view.choice)
    first = "After the last block, a final norm is applied. Then " if config.final_norm else "After the last block, "
    count = f"{steps.feature.shape[-1]} numbers"
    view.section("7 · From the tokens to the output", f"{first}{_last_step(view, count)}.")
    if config.pooling == "attention":
        maps = [(f"head {h + 1}", values[0]) for h, values in enumerate(_pool_maps(view))]
        st.html(drawing.maps(maps))
        st.caption("Weights of the pooling's heads; the colours of each map end at its own largest weight.")
    features = np.atleast_2d(steps.feature)
    several = len(features) > 1
    names = [f"of the {name}" for name in config.prefix_token_names] if several else ["pooled feature"]
    st.html(drawing.strips([("feature", *drawn) for drawn in zip(features, names, strict=True)], together=several))
    if trace.model.is_classifier:
        prediction_bars(predictions(trace), one_of_all=trace.model.output_kind == "classes")
        _probabilities(view)
    # without a final norm, the tokens are the output of the last block
    ends = [check for what, check in steps.checks.items() if config.final_norm or what != "tokens"]
    draw_checks(ends, "output")


def _last_step(view: HeadView, count: str) -> str:
    """Describe the step from the tokens to the output.

    Args:
        view: the view.
        count: length of the pooled feature, such as `"384 numbers"`.
    """
    config = view.trace.config
    if config.pooling == "distilled" and config.num_classes:
        return (
            f"two classifiers read one token each, the class token and the distillation token ({count} each); the mean "
            "of their logits is the output"
        )
    pooled = (
        f"the result of {config.pooling_description}" if config.pooling == "attention" else config.pooling_description
    )
    if not config.num_classes:
        return f"the model returns {pooled} ({count}){', normalised' if config.fc_norm else ''}"
    head = "the classifier" if view.trace.model.is_classifier else "an output projection"
    normed = f"{pooled} is normalised, and " if config.fc_norm else ""
    return f"{normed}{head} maps {'it' if normed else pooled} ({count}) to {config.num_classes} outputs"


def _probabilities(view: HeadView) -> None:
    """Draw the conversion of logits to probabilities by hand."""
    trace = view.trace
    logits = np.asarray(trace.output, np.float64)
    order = np.argsort(-logits, kind="stable")[:LISTED]
    labels = [html.escape(class_name(trace.model, int(index))) for index in order]
    with st.expander("From logits to probabilities, by hand"):
        if trace.model.output_kind == "classes" and len(logits) > 1:
            view.draw_text("The same softmax as in section 4: exp of each logit, divided by the sum of all.")
            steps = softmax(logits)
            cases = [([float(logits[i]), float(steps.largest)], float(steps.exponentials[i])) for i in order]
            decimals = decimals_needed(cases, lambda parts: math.exp(parts[0] - parts[1]))
            largest = in_brackets(number(float(steps.largest), decimals))
            head = ("class", "logit", f"exp(logit − {largest})", "probability")
            rows = [
                (
                    label,
                    number(float(logits[i]), decimals),
                    number(float(steps.exponentials[i])),
                    percent(float(steps.weights[i])),
                )
                for i, label in zip(order, labels, strict=True)
            ]
            rest = np.setdiff1d(np.arange(len(logits)), order)
            if len(rest):
                others = number(float(steps.exponentials[rest].sum())), percent(float(steps.weights[rest].sum()))
                rows.append((f"the other {len(rest)}", "", *others))
            total = ("sum", "", number(float(steps.total)), percent(float(steps.weights.sum())))
        else:
            view.draw_text(
                "Each class is independent: its probability is the sigmoid of its logit, 1 / (1 + exp(−logit))."
            )
            head, total = ("class", "logit", "probability"), None
            rows = [
                (label, number(float(logits[i])), percent(float(1 / (1 + np.exp(-logits[i])))))
                for i, label in zip(order, labels, strict=True)
            ]
        with st.container(key="probabilities"):
            st.html(drawing.table(head, rows, total))


def _pool_maps(view: HeadView) -> np.ndarray:
    trace = view.trace
    weights = trace.attention("pool")[..., trace.prefix :]
    return weights.reshape(*weights.shape[:2], *trace.grid)
