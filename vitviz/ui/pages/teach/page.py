"""The page "Teach": a linear classifier for the user's own classes, fitted on the features of the model."""

from __future__ import annotations

import streamlit as st

from ....zoo.heads import LinearHead
from ...app import shell, state
from ...app.jobs import background
from ...app.messages import escape_markdown, show_errors
from ...widgets import drawing
from . import collection, example, figures, image_features, live, own_classes, taught_head
from .settings import BINARY, EXAMPLE, OWN, PLACE, POOLING, POOLING_LABELS, SOURCE, SOURCES, poolings

SHARES = (0.5, 0.5)  # of the width: the present image, and figures
Drawn = tuple[LinearHead | None, list[background.Request]]  # the head, if it is known, and the remaining work
HOW_TO_PROBE = "https://arxiv.org/abs/2503.00641"


def draw() -> None:
    """Draw the page."""
    st.html(drawing.STYLE + figures.STYLE)
    st.title("Teach", anchor=False)
    st.markdown("Name classes and give each a few images. A linear head is fitted on the model's features and tested.")
    teach(image_features.base_choice())


@show_errors()
def teach(choice: state.Choice) -> None:
    """Draw the source of the classes, the head and its figures."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = SOURCE.draw(
            st.segmented_control, "Classes from", list(SOURCES), context=choice, format_func=SOURCES.get, required=True
        )
        if source in (OWN, EXAMPLE):
            _options(choice)
    shell.write_address()
    with st.container(key="teach_problems"):
        for problem in _shortened(collection.take_problems()):
            st.error(escape_markdown(problem))
    setup = image_features.setup_of(choice)
    held = st.container()  # drawn last, when the head is known
    if source == OWN:
        head, pending = _own(choice, setup)
    elif source == EXAMPLE:
        head, pending = _example(choice, setup)
    else:
        head, pending = _file(choice), []
    with held:
        taught_head.draw_held(head)
    background.watch(PLACE, pending)


def _own(choice: state.Choice, setup: image_features.FeatureSetup) -> Drawn:
    own_classes.draw(choice)
    taught, head, pending = own_classes.fit(setup)
    if head is None:
        return None, pending
    left, right = st.columns(SHARES, gap="large")
    with left:
        _predicted(choice, head, own_classes.thumbnails(taught))
    with right:
        pending += own_classes.draw_figures(taught)
    with st.container():  # fixed position
        own_classes.draw_least_certain(taught)
    pending += own_classes.draw_relevance(taught)
    return head, pending


def _example(choice: state.Choice, setup: image_features.FeatureSetup) -> Drawn:
    left, right = st.columns(SHARES, gap="large")
    with right:
        fitted, pending = example.draw(setup)
    if fitted is None:
        return None, pending
    with left:
        _predicted(choice, fitted.head)
    return fitted.head, pending


def _file(choice: state.Choice) -> LinearHead | None:
    head = taught_head.draw_opened(choice)
    if head is not None:
        _predicted(choice, head)
    return head


def _predicted(choice: state.Choice, head: LinearHead, thumbnails: tuple[tuple[bytes, ...], ...] = ()) -> None:
    """Draw what a head predicts for the present image and the camera, and what can be done with it."""
    taught_head.draw(choice, head)
    live.draw(choice, head)
    taught_head.draw_actions(head, thumbnails)


def _options(choice: state.Choice) -> None:
    """Draw the options of the head."""
    with st.popover("Options", icon=":material/tune:"):
        POOLING.draw(
            st.selectbox, "Features", poolings(choice), context=choice, format_func=POOLING_LABELS.get, width=300
        )
        BINARY.draw(
            st.toggle,
            "One binary head for each class",
            help=f"Their attribution maps depend more on the class ([paper]({HOW_TO_PROBE})).",
        )


def _shortened(problems: list[str]) -> list[str]:
    """Return the first problems, and the number of the others."""
    most = 5
    rest = len(problems) - most
    return problems if rest <= 1 else [*problems[:most], f"{rest} more images were not added."]
