"""Section 6: the sequence X, its formula with the numbers of one row, and the whole matrix."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ....notation.view import token_label
from ....trace.trace import Trace
from ....walkthrough import sequence
from ...app import state
from ...components.matrix import sequence_matrix
from ...widgets import symbols
from ...widgets.drawing import PHOTO
from ...widgets.strips import numbers
from ...widgets.sums import round_consistently
from ..lesson.followed_token import follow_patch, follow_prefix_token, followed_token
from ..lesson.sections import draw_check, draw_text, format_norm, section, values_of
from . import sequence_data
from .settings import DIMENSION


def the_sequence(choice: state.Choice, trace: Trace) -> None:
    """Draw section 6: the matrix that enters the first block."""
    config, token = trace.config, followed_token(trace)
    enters = "{X}, after one more norm, enters the first block" if config.pre_norm else "{X} enters the first block"
    section(
        "6 · The sequence",
        f"{trace.token_count} tokens of {{=D}} numbers: {enters}. Each row is a token. Point at one, and the patch "
        "that it came from lights up; choose one, and this page follows it.",
        values_of(trace),
    )
    row, dimension = sequence.embedded(trace, token), chosen_dimension(trace)
    symbolic, live = st.columns([0.38, 0.62], vertical_alignment="center")
    symbolic.latex(symbols.formula(_formula(trace, token), values_of(trace)))
    live.latex(symbols.formula(_live_formula(trace, token, dimension), values_of(trace)))
    draw_text(_sizes(trace), values_of(trace))
    _one_number(trace, row, dimension)
    sequence_matrix(
        sequence_data.whole_sequence(choice).drawn,
        config.prefix_token_names,
        trace.grid,
        state.picture(choice, PHOTO),
        choice.picked.name,
        token,
        on_choose=partial(follow_row, trace.prefix, trace.grid[1]),
        key="matrix_of_x",
    )
    st.markdown(f"Row {token + 1}, {token_label(trace, token)}: {numbers(row.row)}")
    for check in row.checks.values():
        draw_check(check)
    draw_check(sequence_data.whole_sequence(choice).check)


def follow_row(prefix: int, columns: int, token: int) -> None:
    """Follow the token of a row. A callback, so it holds no trace."""
    if token < prefix:
        follow_prefix_token(token)
    else:
        follow_patch(*divmod(token - prefix, columns))


def chosen_dimension(trace: Trace) -> int:
    """Return the dimension chosen in section 4, from 0; 0 for models without that section."""
    return 0 if trace.config.stem else DIMENSION.get(trace.config.embed_dim) - 1


def _listed(trace: Trace, token: int) -> list[int | None]:
    """Return the tokens in the bracket: prefix tokens, first, last and chosen patch; None stands for dots."""
    last = trace.token_count - 1
    patches = sorted({trace.prefix, max(token, trace.prefix), last})
    listed: list[int | None] = list(range(trace.prefix))
    for before, patch in zip([patches[0] - 1, *patches], patches, strict=False):
        listed += [None, patch] if patch > before + 1 else [patch]
    return listed


def _bracket(rows: list[str]) -> str:
    return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def _formula(trace: Trace, token: int) -> str:
    """Return X in symbols; the chosen row is boxed."""
    rows = [r"\vdots" if one is None else _boxed(_origin(trace, one), one == token) for one in _listed(trace, token)]
    return rf"\small @X = {_bracket(rows)}{' + @W_pos' if trace.config.position_embedding else ''}"


def _live_formula(trace: Trace, token: int, dimension: int) -> str:
    """Return one column of X in numbers: the projected patches plus their positions."""
    columns = [], [], []
    for one in _listed(trace, token):
        if one is None:
            cells = [r"\vdots"] * 3
        else:
            parts, total = _parts(sequence.embedded(trace, one), dimension, trace.config.position_embedding)
            cells = [*map(_tex, parts), _boxed(_tex(total), one == token)]
        for column, cell in zip(columns, [*cells[:-1], *[""] * (3 - len(cells)), cells[-1]], strict=True):
            column.append(cell)
    come_from, positions, total = map(_bracket, columns)
    added = f"{come_from} + {positions} =" if trace.config.position_embedding else ""
    return rf"\small {added} {total}"


def _parts(row: sequence.Embedded, dimension: int, positions: bool) -> tuple[list[str], str]:
    """Return the summands of a number of a row and the number, formatted."""
    parts = [float(row.vector[dimension]), *([float(row.position[dimension])] if positions else [])]
    return round_consistently(parts, float(row.row[dimension]))


def _one_number(trace: Trace, row: sequence.Embedded, dimension: int) -> None:
    """Draw one number of the chosen row as a sum."""
    parts, total = _parts(row, dimension, trace.config.position_embedding)
    origin = _origin(trace, row.token, bias=True)
    sums = [rf"\underbrace{{{origin}}}_{{{_tex(parts[0])}}}"]
    if trace.config.position_embedding:
        sums.append(rf"\underbrace{{@W_pos}}_{{{_tex(parts[1])}}}")
    chosen = "" if trace.config.stem else ", as chosen in section 4"
    draw_text(
        f"The columns of numbers are number {dimension + 1} of these rows{chosen}. For {token_label(trace, row.token)}:"
    )
    st.latex(symbols.formula(f"{' + '.join(sums)} = {_tex(total)}"))
    if row.norm is not None:
        with st.container(key="norm_before_blocks"):
            draw_text(f"A norm follows before the first block: {format_norm(row.norm, dimension)}.")


def _origin(trace: Trace, token: int, bias: bool = False) -> str:
    """Return the formula of a row before its position is added."""
    config, patch = trace.config, token - trace.prefix + 1
    if patch < 1:
        return (
            "@w_CLS"
            if config.prefix_token_names[token] == "class token"
            else rf"\text{{{config.prefix_token_names[token]}}}"
        )
    if config.stem:
        return f"f_{{{patch}}}"
    projected = rf"x_{{{patch}}}\,@W_LP" + (" + b" if bias and sequence.projection(trace.model)[1].any() else "")
    return rf"\mathrm{{norm}}({projected})" if config.patch_norm else projected


def _sizes(trace: Trace) -> str:
    """Return the shapes of all symbols of the formula, with the model's numbers."""
    config, tokens = trace.config, trace.token_count
    shapes = [f"{{X}} is {tokens} × {{=D}}"]
    if config.stem:
        shapes.append("f₁, f₂, … are 1 × {=D}: what the convolutional network found at each place")
    else:
        vector = config.patch_size**2 * config.in_chans
        shapes.append(f"each x is a patch as a vector, 1 × {{P}}²{{C}} = 1 × {vector}")
        shapes.append(f"{{W_LP}} is {vector} × {{=D}}")
    if config.class_token:
        shapes.append("{w_CLS} is 1 × {=D}")
    if config.position_embedding:
        shapes.append(f"{{W_pos}} is {tokens} × {{=D}}")
    bias = not config.stem and sequence.projection(trace.model)[1].any()
    return "; ".join(shapes) + (". b is the bias of the projection, 1 × {=D}." if bias else ".")


def _boxed(tex: str, boxed: bool) -> str:
    return rf"\boxed{{{tex}}}" if boxed else tex


def _tex(text: str) -> str:
    return text.replace("−", "-")
