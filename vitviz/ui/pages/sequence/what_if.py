"""Effect of other patch sizes on the sequence and on the cost of a block."""

from __future__ import annotations

import streamlit as st

from ....model.config import ViTConfig
from ....trace.trace import Trace
from ....walkthrough.sequence import BlockCost, SequenceSizes, block_cost
from ...app import state
from ...app.messages import show_errors
from ...widgets import symbols
from ...widgets.drawing import PHOTO, on_image, table
from ..lesson.prediction import SKIPPED, predicted
from ..lesson.sections import draw_text
from .settings import WHAT_IF
from .splitting import lines, sizes_of

PATCH_SIDES = (8, 14, 16, 32)


@st.fragment
@show_errors()
def what_if(choice: state.Choice) -> None:
    """Draw the arithmetic of other patch sizes; choosing one reruns only this fragment."""
    trace = state.trace(choice)
    now = sizes_of(trace, trace.config.patch_size)
    st.header("What if patches were larger or smaller?", anchor=False)
    sides = [side for side in sorted({*PATCH_SIDES, now.patch}) if side <= min(now.height, now.width)]
    chosen = WHAT_IF.draw(
        st.segmented_control,
        "Side of a patch, in pixels: arithmetic, without another model",
        sides,
        context=(now.patch, *sides),
        format_func=lambda side: f"{side} (this model)" if side == now.patch else str(side),
        required=True,
    )
    then = sizes_of(trace, chosen)
    if not _tokens_predicted(choice, then, now):
        return
    if then != now:
        left, right = st.columns([0.4, 0.6], vertical_alignment="center")
        name = f"{choice.picked.name}, split into {then.grid[0]} rows of {then.grid[1]} squares"
        left.html(on_image(state.picture(choice, PHOTO), (then.width, then.height), [lines(then)], name))
        with right:
            _describe(then, now)
        with st.container(key="what_if_costs"):
            st.html(f'<div class="vv-costs">{_costs(trace.config, then, now)}</div>')
    with st.expander("All sizes in a table"):
        rows = [_row(trace, sizes_of(trace, side), now, then) for side in sides]
        st.html(f'<div class="vv-sizes">{table(_head(now), rows)}</div>')


def _tokens_predicted(choice: state.Choice, then: SequenceSizes, now: SequenceSizes) -> bool:
    """Ask for the number of tokens, unless it is known; return True if the result can be shown."""
    options = guesses(then, now)
    if then == now or len(options) < 2:
        return True
    this, other = (f"{side} × {side}" for side in (now.patch, then.patch))
    question = f"Patches of {this} pixels give {now.tokens:,} tokens. How many do {other} give?"
    guess = predicted("tokens", question, options, (*choice.key, then.patch))
    if guess is not None:
        right = f"{then.tokens:,}"
        told = "" if guess == SKIPPED else "Right: " if guess == right else f"Your prediction: {guess}. "
        with st.container(key="tokens_answer"):
            st.markdown(f"{told}**{right}** = {then.grid[0]} × {then.grid[1]}{_and_prefix(then)}")
    return guess is not None


def guesses(then: SequenceSizes, now: SequenceSizes) -> tuple[str, ...]:
    """Return possible numbers of tokens: the right one, and what two common mistakes give, in order.

    The mistakes are a number of patches that falls in proportion to the side, and one that grows with the area of a
    patch.
    """
    ratio = now.patch / then.patch
    patches = {then.patches, max(1, round(now.patches * ratio)), max(1, round(now.patches / ratio**2))}
    return tuple(f"{count + then.prefix:,}" for count in sorted(patches))


def _describe(then: SequenceSizes, now: SequenceSizes) -> None:
    """Draw the sizes for another side, beside the model's."""
    values = {"P": then.patch, "N": f"{then.patches:,}"}
    patches, numbers = _factor(then.patches / now.patches), _factor(then.patch_dim / now.patch_dim)
    weights = ""
    if then.projection_weights is not None:
        weights = f" {{W_LP}} would have {then.projection_weights:,} weights."
    draw_text(
        f"{{P=}}: {then.grid[0]} rows of {then.grid[1]} patches, so {{N=}} ({patches}). A patch has {{P}}²{{C}} = "
        f"{then.patch_dim:,} numbers ({numbers}).{weights}",
        values,
    )
    rows, columns = then.remainder
    if rows or columns:
        left = " and ".join(f"{count} {what}" for count, what in ((rows, "rows"), (columns, "columns")) if count)
        with st.container(key="pixels_left_over"):
            st.markdown(f"Left over, and dark in the picture: {left} of pixels that fill no patch.")


def _costs(config: ViTConfig, then: SequenceSizes, now: SequenceSizes) -> str:
    """Return the size of the attention matrix and the cost of attention and of a block, beside the model's, as HTML."""
    cost, model = block_cost(config, then.tokens), block_cost(config, now.tokens)
    matrix = f"{_tokens(then)}² = {then.attention_weights:,} weights"
    rows = [
        ("Attention matrix of a head; grows with {N}²", matrix, then.matrix_growth(now)),
        ("Attention with its projections", _multiplications(cost.attention), cost.attention / model.attention),
        ("Whole block, with the MLP", _multiplications(cost.block), cost.block / model.block),
    ]
    head = ["", "", f"{then.patch} instead of {now.patch}"]
    return table(head, [[symbols.html(what), size, _factor(factor)] for what, size, factor in rows])


def _multiplications(count: int) -> str:
    return f"{count / 1e6:,.4g} million multiplications" if count >= 1e6 else f"{count:,} multiplications"


def _tokens(sizes: SequenceSizes) -> str:
    return f"({sizes.patches:,} + {sizes.prefix})" if sizes.prefix else f"{sizes.patches:,}"


def _and_prefix(sizes: SequenceSizes) -> str:
    return f" + {sizes.prefix}" if sizes.prefix else ""


def _head(now: SequenceSizes) -> list[str]:
    """Return the column headings as HTML."""
    texts = ("{P}", "grid", "{N}", "{P}²{C}", f"matrix, ({{N}}{_and_prefix(now)})²", "attention", "block")
    return [symbols.html(text) for text in texts]


def _row(trace: Trace, sizes: SequenceSizes, now: SequenceSizes, chosen: SequenceSizes) -> list[str]:
    cost, model = (block_cost(trace.config, one.tokens) for one in (sizes, now))
    this = " (this model)" if sizes == now else ""
    mark = ' <span class="vv-what-if" role="img" aria-label="chosen">◂</span>' if sizes == chosen else ""
    return [
        f"{sizes.patch}{this}{mark}",
        f"{sizes.grid[0]} × {sizes.grid[1]}",
        f"{sizes.patches:,}",
        f"{sizes.patch_dim:,}",
        _factor(sizes.matrix_growth(now)),
        *_factors(cost, model),
    ]


def _factors(cost: BlockCost, model: BlockCost) -> tuple[str, str]:
    return _factor(cost.attention / model.attention), _factor(cost.block / model.block)


def _factor(factor: float) -> str:
    return f"× {factor:.3g}"
