"""Three principal components of the patches as colours, for every layer and enlarged for one."""

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
from ..lesson import followed_token
from ..lesson.sections import section
from . import token_analyses
from .settings import ALL, EACH, FITTED, FOREGROUND, SWAP
from .tokens_view import PICTURE, TokensView, choose_layer

SIDES = ("#e5484d", "#30a46c", "#2f81f7")  # red, green and blue of the legend


def draw(view: TokensView) -> None:
    """Draw the section."""
    section(
        "Principal components as colours",
        "Each patch's token is a point with {D} coordinates. The three directions of largest variance become red, "
        "green and blue: patches of the same colour are similar to the model.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fitted = FITTED.draw(st.segmented_control, "Fit components", (EACH, ALL), required=True)
        foreground = FOREGROUND.draw(st.toggle, "Foreground only")
        swap = foreground and SWAP.draw(st.toggle, "Swap foreground and background")
    options = (fitted == ALL, foreground, swap)
    components = token_analyses.pca(view.choice, *options)
    left, right = st.columns([0.46, 0.54], gap="large")
    with left:
        large(view, components)
    with right:
        explained(view, components)
        every_layer(view, token_analyses.thumbnails(view.choice, *options))
    st.caption(method_text(components, foreground))


def large(view: TokensView, components: PcaOfLayers) -> None:
    """Draw the chosen layer enlarged, with the chosen patch."""
    opacity = st.slider("Overlay opacity", 0, 100, 100, 10, format="%d %%", key="pca_opacity")
    picture = token_analyses.as_picture(components.colours(view.layer), view.trace.grid, PICTURE)
    if opacity < 100:
        image = Image.open(io.BytesIO(view.picture())).convert("RGB").resize(picture.size)
        picture = Image.blend(image, picture, opacity / 100)
    name = f"{view.name}, principal components {view.layer_label} as colours"
    patch_picker(
        token_analyses.as_png(picture),
        name,
        view.trace.grid,
        view.patch,
        on_choose=followed_token.follow_patch,
        key="pca_picker",
    )


def explained(view: TokensView, components: PcaOfLayers) -> None:
    """Draw a table of the variance and the range of each colour."""
    shares, (low, high) = components.explained[view.layer], components.ends(view.layer)
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
    total = ["total", percent(float(shares.sum())), ""]
    head = ["component", f"variance {view.layer_label}", "colour range"]
    st.html(drawing.table(head, rows, total))


def every_layer(view: TokensView, small: list[bytes]) -> None:
    """Draw a gallery of all layers; a click chooses the layer."""
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


def method_text(components: PcaOfLayers, foreground: bool) -> str:
    """Describe how the colours were computed."""
    fit = (
        "Fitted on the patches of all layers together, so that a colour means the same direction in each. First, the "
        "mean of every layer is subtracted, and the layer is divided by the root mean square distance of its patches "
        "from the mean; otherwise the layers with the largest norms would dominate."
        if components.together
        else "Fitted on the patches of each layer separately: colours of different layers are not comparable."
    )
    split = (
        " The foreground is one side of 0 on the first component: the side with fewer patches at the image edge. "
        "This is a heuristic; tokens do not determine which side is the object. The colours are the components of the "
        "foreground only ([DINOv2, Oquab et al. 2024, figure 1](https://arxiv.org/abs/2304.07193))."
        if foreground
        else ""
    )
    return (
        f"{fit}{split} Each colour spans the 1st to the 99th percentile of its scores. The largest coordinate of each "
        "direction is positive, so that an image always has the same colours."
    )
