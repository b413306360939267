"""Attention on the handout: weights of the chosen head for the chosen patch."""

from __future__ import annotations

import html
import io

import numpy as np
from PIL import Image

from .....notation.marks import percent
from .....notation.view import strongest_patch
from .....viz.colour import colour_bar_labels, overlay, tone
from .....viz.explorer.payload import as_jpeg
from ....widgets import symbols
from ....widgets.strips import number, numbers
from . import paper
from .run import Run

STRONGEST = 5


def weights(run: Run) -> str:
    """Return the section with the weights over the image."""
    trace, steps, signed = run.trace, run.block.head, run.trace.config.differential
    of_patches = steps.weights[trace.prefix :].astype(np.float32)
    tones = tone(of_patches, "relative", len(steps.weights), signed=signed).reshape(trace.grid)
    drawn = as_jpeg(overlay(Image.open(io.BytesIO(run.picture)).convert("RGB"), tones, "relative", signed=signed))
    top = strongest_patch(trace, steps.weights)
    sums = f"sum to 1 − λ = {number(steps.row_sum)}" if signed else "sum to 100 %"
    colour = " (teal frame)" if run.frames else ""
    caption_text = (
        f"Attention weights of {run.token_label}{colour}, {run.head_label}. All {len(steps.weights)} weights {sums}; "
        f"the colours end at the largest weight of a patch, {run.name(top)} (orange frame)."
    )
    frames = [("key", divmod(top - trace.prefix, trace.grid[1])), *run.frames]
    shown = paper.framed_image(drawn, trace.grid, frames, caption_text)
    scale = paper.scale(*colour_bar_labels(of_patches, "relative", signed), signed)
    caption = f"<figcaption>{html.escape(caption_text)}</figcaption>"
    return paper.section("4 · Attention weights", f"<figure>{shown}{scale}{caption}</figure>")


def strongest(run: Run) -> str:
    """Return the section with the largest weights and the weighted sum of values."""
    trace, steps = run.trace, run.block.head
    order = np.argsort(-np.abs(steps.weights), kind="stable")
    shown, rest = order[:STRONGEST], order[STRONGEST:]
    scores = np.atleast_2d(steps.scores)
    signed = len(scores) > 1
    head = ["token", *(("score, first half", "second half") if signed else ("score",)), symbols.html("weight {A}")]
    rows = [
        [run.name(int(t)), *(number(float(score)) for score in scores[:, t]), percent(float(steps.weights[t]))]
        for t in shown
    ]
    if len(rest):
        rows.append([f"the other {len(rest)}", *[""] * len(scores), percent(float(steps.weights[rest].sum()))])
    if not signed:  # bars cannot show negative weights
        head.append("")
        for row, t in zip(rows, shown, strict=False):
            row.append(paper.bar(float(steps.weights[t] / steps.weights[order[0]])))
    width = run.trace.config.head_dim // len(scores)
    bias = ", plus a bias for the offset" if steps.bias is not None else ""
    softmax = (
        f"the weight is the softmax of the first half less λ = {number(steps.lam)} times that of the second"
        if signed
        else "the softmax converts scores to weights"
    )
    return paper.section(
        "5 · Largest attention weights",
        paper.paragraph(f"Score: query {{q}} times key {{k}}, divided by √{width}{bias}; {softmax}."),
        paper.table(head, rows, name="strongest"),
        *([paper.paragraph(_shares(run))] if trace.prefix else []),
        paper.paragraph(
            f"The values {{v}}, each times its weight, sum to the output of the head: {numbers(steps.z, 4)}"
        ),
    )


def _shares(run: Run) -> str:
    """Describe the shares of prefix tokens and patches."""
    steps, names = run.block.head, run.trace.config.prefix_token_names
    patches = percent(float(steps.weights[run.trace.prefix :].sum()))
    if len(names) > STRONGEST:
        before = percent(float(steps.to_prefix.sum()))
        return f"The {len(names)} prefix tokens get {before}, all patches together {patches}."
    shares = ", ".join(f"{name} {percent(float(share))}" for name, share in zip(names, steps.to_prefix, strict=True))
    return f"Shares: {shares}, all patches together {patches}."
