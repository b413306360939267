"""The page "Lens": the model's prediction if it stopped after a layer, for the image and for each patch."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...components.patches.sticky import sticky_style
from ...widgets import drawing, symbols
from ..lesson.sections import draw_text, part
from ..training import curves, time_slider
from . import lens_view, patch_maps, whole_image


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE + sticky_style("lens_picker", "lens_maps"))
    st.title("Lens", anchor=False)
    time_slider.draw(state.choice())
    read(state.choice())


@shell.fragment
def read(choice: state.Choice) -> None:
    """Draw the page; choosing a target, a layer or a patch reruns only this fragment."""
    place = curves.place()
    intro(choice)
    view = lens_view.current(choice)
    with part("whole"):
        whole_image.after_each_layer(view)
    with part("patches"):
        patch_maps.patch_by_patch(view)
    curves.draw(choice, place)


def intro(choice: state.Choice) -> None:
    """Explain the logit lens and its limits."""
    with st.empty():
        readout = lens_view.readout_description(state.trace(choice))
    draw_text(
        f"The model computes its output from the tokens after its last layer, with {readout}. The **logit lens** "
        "applies the same steps to the tokens after every earlier layer: what would the model predict if it stopped "
        "there?"
    )
    st.caption(
        "This is an approximation. The model was trained to predict from its last layer only. An earlier layer may "
        "encode the prediction in another form, and an apparent early prediction may be an artefact. Only the numbers "
        "of the last layer are the model’s own. ([nostalgebraist 2020]("
        "https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens); [Belrose et al. 2023, "
        "section 2](https://arxiv.org/abs/2303.08112).)"
    )
