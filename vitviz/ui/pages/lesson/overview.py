"""Map of the model on both lesson pages and on Start, and the links between the two pages."""

from __future__ import annotations

import time
from functools import partial

import streamlit as st

from .... import zoo
from ....trace.vision_transformer import VisionTransformer
from ....walkthrough.steps import has_layer_scale
from ...app import lesson_section, models, state
from ...app.cache import cached
from ...app.registry import page_at
from ...components._shared import Listener
from ...components.diagram import Group, Step, diagram, model_steps

KEY = "model_map"
LEAVES, ARRIVES = "map_leaves", "map_arrives"  # keys in the session: section chosen now; section of the last choice

# On the lesson pages, the map stays below Streamlit's header while the page scrolls. The browser sets --vv-map to the
# height of the map.
STICKY = """<style>
:root { --vv-header: 3.75rem; }
:root:has(.vv-projector) { --vv-header: 1.875rem; }
[data-testid="stLayoutWrapper"]:has(> .st-key-lesson_map) { position: sticky; top: var(--vv-header); z-index: 90; }
[data-testid="stMain"] { scroll-padding-top: calc(var(--vv-header) + var(--vv-map, 0px) + 0.5rem); }
@media (min-width: 1100px) {
  :root:has(.vv-projector) [data-testid="stColumn"]:has(.st-key-follow) {
    top: calc(2.4rem + var(--vv-map, 0px)) !important; max-height: calc(100vh - 5rem - var(--vv-map, 0px)) !important;
  }
}
@media print { [data-testid="stLayoutWrapper"]:has(> .st-key-lesson_map) { display: none; } }
</style>"""


def draw_map(page: str) -> None:
    """Draw the map, or open the other page if a section of that was chosen.

    Args:
        page: address of the open page; the first page has the empty one.
    """
    linked = lesson_section.from_link(page)
    section = st.session_state.pop(LEAVES, f"{page}/{linked}" if linked else None)
    if section is not None:
        st.session_state[ARRIVES] = section, time.time_ns() // 1000  # exact in the browser
        target = section.partition("/")[0]
        if target != page:
            st.switch_page(page_at(target).file)
    if page:
        st.html(STICKY)
    else:
        st.header("The model, step by step", anchor=False)
        st.caption("Choose a step to see it computed on your image.")
    with st.container(key="lesson_map" if page else "start_map"):
        here = Listener("a section", lesson_section.reader(page), partial(lesson_section.choose, page))
        arriving = st.session_state.get(ARRIVES)
        diagram(steps(state.choice()), page, _leave, on_here=here, arriving=arriving, key=KEY)


def steps(choice: state.Choice) -> tuple[Step | Group, ...]:
    """Return the steps of the chosen model at the chosen input size."""
    return _steps(choice.model, zoo.version(choice.model), models.pixels(choice.size), state.model(choice.model))


@cached()
def _steps(name: str, version: str, size: tuple[int, int], _model: VisionTransformer) -> tuple[Step | Group, ...]:
    config = _model.config
    grid = size[0] // config.patch_size, size[1] // config.patch_size
    return model_steps(config, grid, layer_scale=has_layer_scale(_model), is_classifier=_model.is_classifier)


def link_to(page: str, label: str) -> None:
    """Draw a link to the other lesson page.

    Args:
        page: name of the page.
        label: text before its title, such as `"Next"`.
    """
    entry = page_at(page)
    with st.container(key="other_lesson"):
        st.page_link(entry.file, label=f"{label}: {entry.title}", icon=entry.icon)


def _leave(section: str) -> None:
    st.session_state[LEAVES] = section
