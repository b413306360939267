"""Contents of the handout, from the image to the model output."""

from __future__ import annotations

import html
from collections.abc import Iterator

import numpy as np

from .....analysis.predictions import predictions
from .....images import as_picture
from .....notation.marks import percent
from .....viz import provenance
from .....viz.inline import png
from .....walkthrough import sequence
from .....walkthrough.checks import Check
from ....widgets.pictures import enlarged
from ....widgets.strips import number, numbers
from ..sections import values_of
from . import attention, paper, patch
from .run import Run

NOTATION = {
    "H": "pixels high",
    "W": "pixels wide",
    "C": "channels",
    "P": "patch side, pixels",
    "N": "patches",
    "D": "embedding dimension",
    "L": "layers",
    "d": "head dimension",
}
BLOCK_CHECKS = ("q", "k", "v", "score", "weights", "z", "attention_out", "resid_mid", "mlp_out", "resid_post")
CLASSES = 5
SHARP = 400  # pixels; a smaller input is enlarged to about this width, so that print shows its pixels


def handout(run: Run) -> str:
    """Return the handout as one self-contained HTML file without scripts that prints on one sheet of A4."""
    has_filters = run.index is not None and not run.trace.config.stem
    made = sequence.project(run.trace, run.index, patch.FIRST) if has_filters else None
    row = sequence.embedded(run.trace, run.token)
    parts = (
        _image(run),
        f'<div class="column">{patch.pixels(run)}{patch.token(run, made, row)}</div>',
        attention.weights(run),
        attention.strongest(run),
        f'<div class="ends">{_checks(run, made, row)}{_output(run)}</div>',
    )
    body = f'{_head(run)}{_notation(run)}<div class="page">{"".join(parts)}</div>'
    return paper.page(_title(run), paper.sheet(body))


def _title(run: Run) -> str:
    return f"{run.image} in {run.model}, step by step"


def _head(run: Run) -> str:
    values = values_of(run.trace)
    settings = f"{values['H']} × {values['W']} pixels, fit {run.fit} · {run.head_label} · {run.token_label} · "
    settings += "all counted from 1"
    again = (
        f"Open vitviz again with <code>?{html.escape(run.address)}</code>"
        if run.address
        else "<span data-testid=no-link>Made from an image that links do not contain.</span>"
    )
    return (
        f"<header><h1>{html.escape(_title(run))}</h1>"
        '<p class="who"><span>Name:</span><span>Date:</span></p>'
        f"<p>{html.escape(settings)}</p>{_assumed(run)}<p class=note>{again}</p></header>\n"
    )


def _assumed(run: Run) -> str:
    """Return a note on assumptions about the model, or an empty text."""
    assumed = [provenance.without_advice(note) for note in run.trace.model.notes]
    return f'<p class="note assumed">{html.escape(" ".join(assumed))}</p>' if assumed else ""


def _notation(run: Run) -> str:
    values = values_of(run.trace)
    cells = [f"{paper.paragraph(f'{{{letter}=}}', values)}<small>{text}</small>" for letter, text in NOTATION.items()]
    cells.insert(-1, f"<p>{run.trace.heads}</p><small>heads</small>")
    return f'<div class="letters">{"".join(f"<div>{cell}</div>" for cell in cells)}</div>\n'


def _image(run: Run) -> str:
    rows, columns = run.trace.grid
    followed = (
        f"{run.token_label}, which has no pixels"
        if run.index is None
        else f"{run.token_label} (framed), number {run.index + 1} of {rows * columns}"
    )
    image = run.trace.image  # None if the model was given a tensor
    if image is None:
        drawn, text = run.picture, f"The image in {rows} × {columns} patches. Followed: {followed}."
    else:
        height, width = image.pixels.shape[:2]
        drawn = png(enlarged(as_picture(image.pixels), SHARP))
        text = f"The model's input: {width} × {height} pixels, {rows} × {columns} patches. Followed: {followed}."
    drawn = paper.framed_image(drawn, run.trace.grid, run.frames, f"{run.image}: {text}")
    return paper.section("1 · The image", f"<figure>{drawn}<figcaption>{html.escape(text)}</figcaption></figure>")


def _all_checks(run: Run, made: sequence.Projected | None, row: sequence.Embedded) -> Iterator[Check]:
    """Yield all checks in the order of the two lesson pages."""
    yield from () if made is None else made.checks.values()
    yield from row.checks.values()
    yield from (run.block.checks[name] for name in BLOCK_CHECKS)
    yield run.output


def _checks(run: Run, made: sequence.Projected | None, row: sequence.Embedded) -> str:
    rows = []
    for check in _all_checks(run, made, row):
        ours, models = np.ravel(check.computed), np.ravel(check.model)
        agree = f"{f'{check.error:.0e}' if check.error else 'exactly equal'} {'✓' if check.holds else '✗'}"
        rows.append(
            (html.escape(check.label), f"{len(ours):,}", number(float(ours[0])), number(float(models[0])), agree)
        )
    return paper.section(
        f"6 · By hand and by the model, {run.head_label}",
        paper.table(("what", "how many", "by hand, first", "model, first", "difference"), rows, name="checks"),
        '<p class="note">The difference is the largest among these numbers, relative to the largest in size. '
        f"The chosen key: {run.name(run.block.head.key)}.</p>",
    )


def _output(run: Run) -> str:
    trace = run.trace
    if trace.model.is_classifier:
        found = predictions(trace, CLASSES)
        alone = trace.model.output_kind != "classes"
        return paper.section(
            "7 · Prediction",
            paper.table(
                ("class", "probability", ""),
                [(html.escape(one.label), percent(one.probability), paper.bar(one.probability)) for one in found],
                kind="names",
                name="classes",
            ),
            *([paper.paragraph("Each class has an independent probability.")] if alone else []),
        )
    text = trace.config.pooling_description
    return paper.section(
        "7 · Model output",
        paper.paragraph(
            f"This model has no classes. It returns {len(trace.output)} numbers, which come from {text}: "
            f"{numbers(trace.output)}"
        ),
        f"<div data-testid=no-classes>{paper.vector(trace.output, 'Model output')}</div>",
    )
