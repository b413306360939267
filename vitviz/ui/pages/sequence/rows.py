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
from ...widgets.drawing import PHOTO, table
from ...widgets.strips import numbers
from ...widgets.sums import round_consistently
from ..lesson.followed_token import followed_token
from ..lesson.sections import draw_checks, draw_text, format_norm, section, values_of
from . import sequence_data
from .following import follow_row
from .settings import DIMENSION


def the_sequence(choice: state.Choice, trace: Trace) -> None:
    """Draw section 6: the matrix that enters the first block."""
    config, token = trace.config, followed_token(trace)
    norm = ", after one more norm" if config.pre_norm else ""
    section(
        "6 · The sequence",
        f"The rows of {{X}} are {trace.token_count} tokens of {{=D}} numbers. {{X}} enters the first block{norm}.",
        values_of(trace),
    )
    row, dimension = sequence.embedded(trace, token), chosen_dimension(trace)
    st.latex(symbols.formula(_formula(trace, token), values_of(trace)))
    with st.expander(f"In numbers, for dimension {dimension + 1}; shapes of all symbols"):
        _one_number(trace, row, dimension)
        st.latex(symbols.formula(_live_formula(trace, token, dimension), values_of(trace)))
        cells = [[symbols.html(cell, values_of(trace)) for cell in line] for line in shapes(trace)]
        st.html(f'<div class="vv-costs">{table(("", "shape", ""), cells)}</div>')
        st.markdown(f"Row {token + 1}, {token_label(trace, token)}: {numbers(row.row, 3)}")
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
    draw_checks([*row.checks.values(), sequence_data.whole_sequence(choice).check], "sequence")


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
    sums = [rf"\underbrace{{{_origin(trace, row.token)}}}_{{{_tex(parts[0])}}}"]
    if trace.config.position_embedding:
        sums.append(rf"\underbrace{{@W_pos}}_{{{_tex(parts[1])}}}")
    name = token_label(trace, row.token)
    st.latex(symbols.formula(rf"\text{{{name[0].upper()}{name[1:]}:}}\quad {' + '.join(sums)} = {_tex(total)}"))
    if row.norm is not None:
        with st.container(key="norm_before_blocks"):
            draw_text(f"A norm follows before the first block: {format_norm(row.norm, dimension)}.")


def _origin(trace: Trace, token: int) -> str:
    """Return the formula of a row before its position is added, with the bias and the norm that the model has."""
    config, patch = trace.config, token - trace.prefix + 1
    if patch < 1:
        name = config.prefix_token_names[token]
        return "@w_CLS" if name == "class token" else rf"\text{{{name}}}"
    if config.stem:
        return f"f_{{{patch}}}"
    projected = rf"x_{{{patch}}}\,@W_LP" + " + b" * sequence.has_bias(trace.model)
    return rf"\mathrm{{norm}}({projected})" if config.patch_norm else projected


def shapes(trace: Trace) -> list[tuple[str, str, str]]:
    """Return the symbols of the formula with their shapes, in symbols and in numbers, as texts with symbols."""
    config, tokens = trace.config, trace.token_count
    count = f"({{N}} + {trace.prefix})" if trace.prefix else "{N}"
    rows = [("{X}, the sequence", f"{count} × {{D}}", f"{tokens} × {{=D}}")]
    if config.stem:
        rows.append(("f, the feature map at one position, projected", "1 × {D}", "1 × {=D}"))
    else:
        vector = config.patch_size**2 * config.in_chans
        rows.append(("x, a flattened patch", "1 × {P}²{C}", f"1 × {vector}"))
        rows.append(("{W_LP}, the linear projection", "{P}²{C} × {D}", f"{vector} × {{=D}}"))
    if sequence.has_bias(trace.model):
        rows.append(("b, the bias of the projection", "1 × {D}", "1 × {=D}"))
    if config.class_token:
        rows.append(("{w_CLS}, the class token", "1 × {D}", "1 × {=D}"))
    if config.position_embedding:
        rows.append(("{W_pos}, the position embeddings", f"{count} × {{D}}", f"{tokens} × {{=D}}"))
    return rows


def _boxed(tex: str, boxed: bool) -> str:
    return rf"\boxed{{{tex}}}" if boxed else tex


def _tex(text: str) -> str:
    return text.replace("−", "-")
