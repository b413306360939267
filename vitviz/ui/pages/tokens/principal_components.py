"""Three principal components of the patches as three colours, for every layer and large for one."""

from __future__ import annotations

import io

import streamlit as st
from PIL import Image

from ....analysis.tokens import PcaOfLayers
from ....notation.marks import percent
from ...components.gallery import gallery
from ...components.patches import patch_picker
from ...widgets import drawing
from ...widgets.strips import number
from ..lesson import followed_patch
from ..lesson.sections import section
from . import token_analyses
from .settings import ALL, EACH, FITTED, FOREGROUND, SWAP
from .tokens_view import PICTURE, TokensView, choose_layer

SIDES = ("#e5484d", "#30a46c", "#2f81f7")  # red, green and blue, as they are in the legend


def draw(view: TokensView) -> None:
    """The section."""
    section(
        "Principal components as colours",
        "Each patch's token is a point with {D} coordinates. The three directions in which these points vary most "
        "become red, green and blue: patches of one colour are alike to the model.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fitted = FITTED.draw(st.segmented_control, "Components fitted", (EACH, ALL), required=True)
        foreground = FOREGROUND.draw(st.toggle, "Foreground only")
        swap = foreground and SWAP.draw(st.toggle, "Take the other side")
    options = (fitted == ALL, foreground, swap)
    found = token_analyses.pca(view.choice, *options)
    left, right = st.columns([0.46, 0.54], gap="large")
    with left:
        large(view, found)
    with right:
        explained(view, found)
        every_layer(view, token_analyses.thumbnails(view.choice, *options))
    st.caption(how(found, foreground))


def large(view: TokensView, found: PcaOfLayers) -> None:
    """The chosen layer, with the visitor's patch."""
    beneath = st.slider("Photo beneath", 0, 100, 0, 10, format="%d %%", key="pca_photo")
    picture = token_analyses.as_picture(found.colours(view.layer), view.trace.grid, PICTURE)
    if beneath:
        photo = Image.open(io.BytesIO(view.picture())).convert("RGB").resize(picture.size)
        picture = Image.blend(picture, photo, beneath / 100)
    name = f"{view.name}, principal components {view.where} as colours"
    patch_picker(
        token_analyses.as_png(picture),
        name,
        view.trace.grid,
        view.patch,
        on_choose=followed_patch.choose_patch,
        key="pca_picker",
    )


def explained(view: TokensView, found: PcaOfLayers) -> None:
    """How much of the variance each colour shows, and where it begins and ends."""
    shares, (low, high) = found.explained[view.layer], found.ends(view.layer)
    rows = [
        [
            f'<span class="vv-key" style="background:{colour}"></span>{name}',
            drawing.bar(float(share), percent(float(share))),
            f"{number(float(start), 2)} to {number(float(end), 2)}",
        ]
        for name, colour, share, start, end in zip(
            ("1st, red", "2nd, green", "3rd, blue"), SIDES, shares, low, high, strict=True
        )
    ]
    total = ["together", percent(float(shares.sum())), ""]
    head = ["component", f"variance {view.where}", "colour runs from"]
    st.html(drawing.table(head, rows, total))


def every_layer(view: TokensView, small: list[bytes]) -> None:
    """The strip; a click chooses the layer."""
    names = [f"layer {layer + 1}" for layer in range(len(small))]
    gallery(
        "Principal components after every layer",
        dict(zip(names, small, strict=True)),
        chosen=names[view.layer],
        on_choose=lambda name: choose_layer(names.index(name)),
        columns=6,
        titles=True,
        whole=True,
        key="pca_strip",
    )


def how(found: PcaOfLayers, foreground: bool) -> str:
    """How this was computed, in words."""
    fit = (
        "Fitted on the patches of all layers at once, so that a colour means the same direction in each. Before that "
        "every layer is shifted to mean 0 and divided by the root of its patches' mean squared distance from it; else "
        "the longest tokens would decide alone."
        if found.together
        else "Fitted on the patches of each layer alone, so that a colour of one layer means nothing in another."
    )
    split = (
        " The foreground is one side of 0 on the first component, the side that has fewer patches of the picture's "
        "edge; which side shows the object nobody can know from the tokens. The colours are the components of the "
        "foreground alone ([DINOv2, Oquab et al. 2024, figure 1](https://arxiv.org/abs/2304.07193))."
        if foreground
        else ""
    )
    return (
        f"{fit}{split} A colour runs from the 1st to the 99th percentile of its scores. Each direction's largest "
        "coordinate is positive, so that the same image always has the same colours."
    )
