"""Section 4: linear projection, all its filters, and one number of a token by hand."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st
from PIL import Image

from ....trace.trace import Trace
from ....viz.colour import ATTENTION
from ....viz.inline import data_url
from ....walkthrough import sequence
from ...app import state
from ...widgets.pictures import channel_names, filter_picture, framed, signed_picture
from ...widgets.strips import number
from ...widgets.sums import product, round_consistently
from ..lesson.followed_token import followed_patch
from ..lesson.sections import draw_check, draw_text, format_norm, patch_number, section, values_of
from . import sequence_data
from .settings import DIMENSION, INDEX


def projecting(choice: state.Choice, trace: Trace) -> None:
    """Draw section 4: the linear projection."""
    if trace.config.stem:
        section(
            "4 · A network in place of the projection",
            "This model is a hybrid: a convolutional network looks at the image first, and a token is one place of its "
            "result. There is no single matrix from the pixels of a patch to the {D} = {=D} numbers of its token.",
            values_of(trace),
        )
        return
    size = trace.config.patch_size**2 * trace.config.in_chans
    section(
        "4 · Linear projection",
        f"The vector is multiplied with a learned matrix {{W_LP}} of shape {{P}}²{{C}} × {{D}} = {size} × {{=D}}. Each "
        "of its {D} columns is a filter: as large as a patch, and drawn as one here. A token's number says how much of "
        "that filter is in the patch.",
        values_of(trace),
    )
    st.html(sequence_data.filter_gallery(choice))
    st.caption(f"All {trace.config.embed_dim} filters. Grey is 0, the largest number of each has the full colour.")
    components, share = sequence_data.component_gallery(choice)
    st.html(components)
    st.caption(
        "The principal components of the filters, the pictures that they are mostly made of, and the share of the "
        f"filters' variance that each explains; together {100 * share:.0f} % (as in figure 7, left, of the ViT paper)."
    )
    width = trace.config.embed_dim
    dimension = DIMENSION.draw(st.slider, "Which number of the token?", 1, width, context=width) - 1
    made = sequence.project(trace, patch_number(trace, followed_patch(trace)), dimension)
    st.html(_in_the_gallery(made))
    draw_text(
        f"Patch times filter {dimension + 1}, number by number. Number {chosen_number(trace) + 1} of the vector, which "
        "section 3 follows, has a frame."
    )
    _spelled_out(made, chosen_number(trace))
    for check in made.checks.values():
        draw_check(check)


def chosen_number(trace: Trace) -> int:
    """Return the index chosen in section 3 of a patch's vector, from 0."""
    return INDEX.get(trace.config.patch_size**2 * trace.config.in_chans) - 1


def _in_the_gallery(made: sequence.Projected) -> str:
    """Return the filter in colours, and a frame around it in the gallery."""
    picture = data_url(Image.fromarray(filter_picture(made.filter[None])[0]))
    return (
        f"<style>.vv-filters figure:nth-child({made.dimension + 1}) img {{ outline: 3px solid {ATTENTION}; }}</style>"
        f'<div class="vv-one"><img alt="filter {made.dimension + 1}" src="{picture}">Filter {made.dimension + 1}, with '
        "a frame in the gallery.</div>"
    )


def _spelled_out(made: sequence.Projected, index: int) -> None:
    """Draw patch times filter by channel, the sum, and one product."""
    place = sequence.unflatten_index(index, len(made.pixels), made.pixels.shape[-1])
    names = channel_names(made.pixels.shape[-1])
    sums = dict(zip(names, made.products.sum(axis=(0, 1)).tolist(), strict=True))
    if made.bias:
        sums["bias"] = made.bias
    parts, total = round_consistently([*sums.values()], made.total)
    st.html("".join(_multiplied(made, at, name, place, parts[at]) for at, name in enumerate(names)))
    st.markdown(f"{' + '.join(f'{name} {part}' for name, part in zip(sums, parts, strict=True))} = **{total}**")
    factors = float(made.pixels[place]), float(made.filter[place])
    (pixel, weight), result = round_consistently(factors, float(made.products[place]), product)
    st.markdown(f"One of the products. Number {index + 1} of the vector: {pixel} × {weight} = **{result}**")
    if made.norm is not None:
        st.markdown(f"A norm of the whole token follows: {format_norm(made.norm, made.dimension)}.")


def _multiplied(made: sequence.Projected, channel: int, name: str, place: tuple[int, int, int], total: str) -> str:
    """Return pictures of a patch channel times a filter channel; the number at `place` is framed."""
    pixel = place[:2] if place[2] == channel else None
    patch, column, products = (
        _figure(numbers[..., channel], float(np.abs(numbers).max()), pixel, f"{name}, {what}")
        for what, numbers in (("patch", made.pixels), ("filter", made.filter), ("products", made.products))
    )
    return (
        f'<div class="vv-product">{patch}<b>×</b>{column}<b>=</b>{products}'
        f'<p class="vv-sum">sum of {name}: <b>{total}</b></p></div>'
    )


def _figure(matrix: np.ndarray, largest: float, place: tuple[int, int] | None, name: str) -> str:
    """Return a channel as a picture with its scale; the number at `place` is framed."""
    image = signed_picture(matrix, largest=largest)
    image = image if place is None else framed(image, *place, len(matrix))
    scale = html.escape(f"{number(-largest)} to {number(largest)}")
    caption = f"<figcaption>{name}<br>{scale}</figcaption>"
    return f'<figure><img alt="{name}, {scale}" src="{data_url(image)}">{caption}</figure>'
