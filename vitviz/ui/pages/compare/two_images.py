"""Two images in one model: matches of patches, attention of one head, and components in one basis."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ....notation.marks import percent
from ...app import state
from ...components.gallery import gallery
from ...widgets.second_image import LABEL, choose_in_gallery
from ..lesson.sections import section
from ..tokens.token_analyses import as_picture, as_png
from . import comparisons, settings, views

THUMBNAIL = 240  # pixels


def draw(view: views.Compared) -> None:
    """Draw the mode."""
    choice = view.choice
    st.caption(LABEL)
    choose_in_gallery(choice, "compare_gallery")
    other = replace(choice, picked=settings.SECOND.image(choice))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        views.boxes(view)
        centred = settings.CENTRED.draw(
            st.toggle,
            "Subtract the mean token",
            context=choice,
            help="Tokens of a layer share a component, so all of them are similar. Without the mean of both images, "
            "similarity compares how patches differ from it.",
        )
    more = [
        replace(choice, picked=_sample(name))
        for name in settings.MORE.get(choice)
        if state.samples()[name] not in (choice.picked.data, other.picked.data)
    ]
    together = [choice, other, *more]
    pca = comparisons.joint_pca(together, view.layer)
    colours = [pca.colours(at) for at in range(2)]
    views.same_head(
        choice,
        other,
        view.layer,
        view.head,
        view.patch,
        settings.shown(),
        centred=centred,
        colours=colours,
        on_shown=settings.set_shown,
        key="compare_view",
    )
    _components(view, together, pca)


def _sample(name: str) -> state.Picked:
    return state.Picked(name, state.samples()[name], sample=True)


def _components(view: views.Compared, together: list[state.Choice], pca) -> None:
    """Draw the components of all images as colours, with one basis and one range."""
    section(
        "Components in one basis",
        "The three directions of largest variance among the patches of all these images become red, green and blue, so "
        "equal colours mean similar tokens in all of them.",
    )
    settings.MORE.draw(
        st.multiselect,
        "More images in the basis",
        list(state.samples_for(view.choice.model)),
        context=view.choice,
        max_selections=settings.MOST_MORE,
        format_func=str.capitalize,
        width=520,
    )
    pictures = {}
    for at, one in enumerate(together):
        name = f"{at + 1}. {one.picked.name}"
        pictures[name] = as_png(as_picture(pca.colours(at), state.trace(one).grid, THUMBNAIL))
    gallery(
        "Components in one basis",
        pictures,
        chosen=None,
        on_choose=lambda _: None,
        columns=8,
        titles=True,
        whole=True,
        labels={name: name for name in pictures},
        key="compare_components",
    )
    shares = ", ".join(percent(float(share)) for share in pca.components.explained)
    st.caption(
        f"Layer {view.layer + 1}: the components explain {shares} of the variance of {len(together)} images. Each "
        "colour spans the 1st to the 99th percentile of its scores over all of them."
    )
