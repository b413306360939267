"""The page "Lens": what the model would say if it stopped after a layer, of the image and of each patch."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...components.patches.sticky import sticky_style
from ...widgets import drawing, symbols
from ..lesson.sections import part, say
from . import look, patches, whole


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE + sticky_style("lens_picker", "lens_maps"))
    st.title("Lens", anchor=False)
    read(state.choice())


@shell.fragment
def read(choice: state.Choice) -> None:
    """The whole page; choosing a target, a layer or a patch runs only this again."""
    intro(choice)
    seen = look.current(choice)
    with part("whole"):
        whole.after_each_layer(seen)
    with part("patches"):
        patches.patch_by_patch(seen)


def intro(choice: state.Choice) -> None:
    """What a lens is, and what is approximate about it."""
    with st.empty():
        trace = state.trace(choice)
    say(
        f"The model reads its answer off the tokens that leave its last layer, with {look.readers(trace)}. The **logit "
        "lens** reads the tokens of every earlier layer in the same way: what would the model say if it stopped there?"
    )
    st.caption(
        "This is an approximation. Only the last layer was trained to be read like this. An earlier one may already "
        "hold the answer in a form that cannot be read so, and what seems an early guess may come from the reading "
        "alone. Only the numbers of the last layer are the model’s own. ([nostalgebraist 2020]("
        "https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens); [Belrose et al. 2023, "
        "section 2](https://arxiv.org/abs/2303.08112).)"
    )
