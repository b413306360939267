"""One token on the handout: the pixels and the vector of its patch, and its first number by hand."""

from __future__ import annotations

from collections.abc import Iterator

from .....images import as_picture
from .....notation.marks import capital
from .....notation.view import noun_phrase
from .....walkthrough import sequence
from ....widgets.strips import number, numbers
from ....widgets.symbols import html
from . import paper
from .run import Run

FIRST = 0  # dimension of the token computed by hand


def pixels(run: Run) -> str:
    """Return the section with the pixels of the patch, as an image and as a vector."""
    config = run.trace.config
    if run.index is None:
        text = (
            f"{capital(noun_phrase(run.token_label))} has no pixels. It is a learned vector, the same for every image."
        )
        return paper.section("2 · No patch", f"<div data-testid=no-pixels>{paper.paragraph(text)}</div>")
    raw, normalised = sequence.patch_pixels(run.trace, run.index)
    seen = "" if raw is None else paper.image(as_picture(raw), f"The pixels of {run.token_label}")
    if config.stem:
        text = paper.paragraph("The pixels of this patch. Its token also depends on the pixels around it.")
    else:
        vector = sequence.flattened(normalised)
        text = paper.paragraph(
            "{P} × {P} × {C} numbers, normalised and written one after the other: a vector of "
            f"{len(vector)} numbers, {numbers(vector, 4)}"
        ) + paper.vector(vector, "The patch as one vector")
    return paper.section("2 · One patch", f'<div class="patch"><div>{seen}</div><div>{text}</div></div>')


def token(run: Run, made: sequence.Projected | None, row: sequence.Embedded) -> str:
    """Return the section with the first number of the row of X as a sum, and the row itself."""
    check = row.checks["row"]
    lines = [(html(text), number(value)) for text, value in _sum(run, made, row)]
    return paper.section(
        "3 · Its token, the first number by hand",
        f'<div class="beside">{paper.table((), lines, kind="sum", name="sum")}<div>',
        paper.paragraph(f"Row {run.token + 1} of {{X}}, by hand: {numbers(check.computed, 3)}"),
        paper.paragraph(f"The model's: {numbers(check.model, 3)}"),
        paper.vector(check.computed, "The row of X"),
        "</div></div>",
        *(paper.paragraph(text) for text in _places(run)),
    )


def _sum(run: Run, made: sequence.Projected | None, row: sequence.Embedded) -> Iterator[tuple[str, float]]:
    """Yield the summands of one number of the row, line by line."""
    if run.index is None:
        yield "number of the token, learned", float(row.vector[FIRST])
    elif made is None:
        yield "number of the token, projected from convolutional features", float(row.vector[FIRST])
    else:
        yield f"sum of {made.products.size} products with column {FIRST + 1} of {{W_LP}}", made.sum
        if sequence.has_bias(run.trace.model):
            yield "+ bias", made.bias
        if made.norm is not None:
            yield "= number of the token, before its norm", made.total
            yield "number of the token, after its norm", made.result
        elif run.trace.config.position_embedding:
            yield "= number of the token", made.total
    if run.trace.config.position_embedding:
        yield "+ position, {W_pos}", float(row.position[FIRST])
    yield "= number of the row of {X}", float(row.row[FIRST])


def _places(run: Run) -> Iterator[str]:
    """Yield notes on the position encoding of the model."""
    config = run.trace.config
    if config.pre_norm:
        yield "All tokens are normalised before the first layer."
    if config.rope is not None:
        yield "Rotary positions (RoPE): {q} and {k} are rotated by angles that depend on the patch's position."
    if config.relative_position_bias:
        yield "Relative positions: a learned number for the offset between two patches is added to each score."
    if not (config.position_embedding or config.rope or config.relative_position_bias):
        yield "This model has no information on the positions of the patches."
