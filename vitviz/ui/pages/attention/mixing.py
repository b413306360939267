"""Section 5 of the page "Attention": weighted sum of values, all heads, output projection, and residual sum."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....notation.marks import percent
from ....viz.inline import png
from ....walkthrough.steps.block import attention_post_norm, is_scaled
from ....walkthrough.steps.measures import head_overlaps, update_of
from ...app.views import VIEW
from ...components.gallery import gallery
from ...widgets import drawing, symbols
from ...widgets.strips import number
from ...widgets.sums import format_sum
from ..lesson import sections
from . import formulas, layer_activations, norms
from .head_view import HeadView, why

STRONGEST = 3


def weighted_sum(view: HeadView) -> None:
    """Draw the weighted values and their sum."""
    steps = view.steps
    view.section(
        "5 · The output of a head: a weighted sum of values",
        f"The output z of head {view.head + 1} for {view.the(view.query)} is the sum of all values {{v}}, each times "
        "its weight: {d=} numbers.",
    )
    st.latex(symbols.formula(r"z = \sum_j @A_j\, @v_j"))
    order = np.argsort(-np.abs(steps.weights), kind="stable")
    shown, rest = order[:STRONGEST], order[STRONGEST:]
    rows = [
        (f"{percent(float(steps.weights[token]))} × {{v}}", steps.contributions[token], view.name(int(token)))
        for token in shown
    ]
    if len(rest):
        share = percent(float(steps.weights[rest].sum()))
        rows.append((f"{share} all others", steps.contributions[rest].sum(axis=0), f"{len(rest)} tokens"))
    rows.append(("sum z", steps.z, f"output of head {view.head + 1}"))
    st.html(drawing.strips(rows, together=True))
    terms = [
        (f"{percent(float(steps.weights[token]))}, {view.name(int(token))}", steps.v[token], steps.contributions[token])
        for token in shown
    ]
    if len(rest):
        others = steps.contributions[rest].sum(axis=0)
        terms.append((f"the other {len(rest)}", others, others))
    st.html(drawing.running_sum(terms, "Add them up"))


def all_heads(view: HeadView) -> None:
    """Draw the maps of all heads, of which a click chooses one, their concatenation and the output projection."""
    block, heads, values = view.block, view.trace.heads, view.values
    maps = view.trace.heatmap(view.layer, None, view.query)
    if heads > 1:
        view.draw_text(
            f"**All {heads} heads** have their own {{W_Q}}, {{W_K}} and {{W_V}}, so they attend differently. Click a "
            "map to choose its head."
        )
        _gallery(view, maps)
        _why_heads(view)
    else:
        st.html(drawing.maps([("head 1", maps[0])], signed=view.signed))
    inner = heads * values["d"]
    joined = f"Their outputs, {heads} × {values['d']} = {inner} numbers," if heads > 1 else f"Its {inner} numbers"
    normed = " are normalised and" if block.head_norm is not None or block.attention_norm is not None else ""
    mixes = "are mixed by" if heads > 1 else "enter"
    with st.expander("Output projection"):
        view.draw_text(f"{joined}{normed} {mixes} the output projection {{W_O}}.")
        st.latex(symbols.formula(formulas.attention(block)))
        label = "all heads, a row each" if heads > 1 else "the head"
        tall = "1rem" if heads <= 8 else "0.7rem"
        st.html(drawing.strips([("heads", block.concatenated, label)], per_row=values["d"], tall=tall))


def _gallery(view: HeadView, maps: np.ndarray) -> None:
    """Draw the maps as buttons."""
    images = {str(head): png(drawing.heat(one, signed=view.signed)) for head, one in enumerate(maps)}
    tops = {name: percent(float(np.abs(one).max())) for name, one in zip(images, maps, strict=True)}
    gallery(
        f"Heads of layer {view.layer + 1}",
        images,
        chosen=str(view.head),
        on_choose=_choose_head,
        columns=min(6, len(images)),
        titles=True,
        notes={name: f"{'±' if view.signed else ''}{top}" for name, top in tops.items()},
        whole=True,
        labels={name: f"head {int(name) + 1}" for name in images},
        key="head_maps",
    )
    st.caption("Below each map: its largest weight, the brightest colour.")


def _choose_head(name: str) -> None:
    VIEW.change(head=int(name))


def _why_heads(view: HeadView) -> None:
    """Draw how different the weights of the heads are for this query."""
    overlaps = head_overlaps(view.trace.attention(view.layer, query=view.query))
    first, second = np.triu_indices(len(overlaps), 1)
    pairs = overlaps[first, second]
    alike, unlike = int(pairs.argmax()), int(pairs.argmin())

    def pair(at: int) -> str:
        return f"heads {first[at] + 1} and {second[at] + 1}, {percent(float(pairs[at]))}"

    signs = " (absolute values)" if view.signed else ""
    extremes = f"; most for {pair(alike)}, least for {pair(unlike)}" if len(pairs) > 1 else ""
    with why("heads", "Why several heads?"):
        view.draw_text(
            "One softmax gives one distribution: a single head cannot look for two things at once. The overlap of two "
            f"heads is the weight{signs} that both give to the same keys: 100 % if they are equal. Here it is "
            f"{percent(float(pairs.mean()))}{' on average' if extremes else ''}{extremes}."
        )


def residual(view: HeadView) -> None:
    """Draw the residual sum after attention."""
    block, config = view.block, view.trace.config
    scale = ""
    if is_scaled(block.attention_scale):
        scale = f" LS (LayerScale): learned factors, here {_range(block.attention_scale)}."
    norm = ""
    if block.attention_post_norm is not None:
        norm = f" In this model, a norm ({formulas.NORMS[config.norm]}) follows attention."
    outputs = "The outputs of all heads, side by side, become" if view.trace.heads > 1 else "The output becomes"
    view.draw_text(
        f"**Residual sum.** {outputs} the update by the output projection {{W_O}}. The block adds it to the token "
        f"instead of replacing the token.{scale}{norm}"
    )
    st.latex(symbols.formula(formulas.attention_sublayer(block, config)))
    st.html(
        drawing.strips(
            [
                ("{X}", block.x, "the token"),
                ("+", block.attention_out, "update by attention"),
                ("=", block.resid_mid, "after attention"),
            ],
            together=True,
        )
    )
    _measured(view)
    of_all = attention_post_norm(view.recording)
    if of_all is not None:
        norms.why_norm(view, of_all)
    with st.expander("By hand"):
        _first_numbers(view)
    what = ("z", "heads", "attention_out", "resid_mid")
    sections.draw_checks([block.checks[name] for name in what], "values")


def _measured(view: HeadView) -> None:
    """State how large the update of attention is, for this token and for all."""
    one = update_of(view.block.x, view.block.attention_out)
    recorded = layer_activations.recording(view.choice, view.layer)
    every = update_of(recorded["resid_pre"], recorded["attn.out"])
    with st.container(key="attention_update"):
        view.draw_text(
            f"L2 norm of the update: {number(float(one.ratio), 2)} times the token's; cosine of the token before and "
            f"after: {number(float(one.cosine), 2)} (medians of all tokens: {number(float(np.median(every.ratio)), 2)} "
            f"and {number(float(np.median(every.cosine)), 2)})."
        )


def _first_numbers(view: HeadView) -> None:
    """Draw the sums that give the first number of the head's output and of the token after attention."""
    block, steps = view.block, view.steps
    order = np.argsort(-np.abs(steps.weights), kind="stable")
    firsts = [float(steps.contributions[token, 0]) for token in order[:STRONGEST]]
    if len(order) > STRONGEST:
        firsts.append(float(steps.contributions[order[STRONGEST:], 0].sum()))
    view.draw_text(f"First number of z, in the order of the strips: {format_sum(firsts, float(steps.z[0]))}.")
    parts = [float(block.x[0]), float(block.attention_out[0])]
    view.draw_text(f"First number of the residual sum: {format_sum(parts, float(block.resid_mid[0]))}.")


def _range(factors: np.ndarray) -> str:
    low, high = (f"{float(end):.3g}".replace("-", "−") for end in (factors.min(), factors.max()))
    return f"{low} to {high}"
