"""Section 4: linear projection, all its filters, and one dimension of a token by hand."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import streamlit as st
from PIL import Image

from ....trace.trace import Trace
from ....viz.colour import ATTENTION
from ....viz.inline import data_url, png
from ....walkthrough import sequence
from ...app import state
from ...components.patches import Factor, Overlay, patch_picker
from ...widgets.pictures import channel_names, filter_picture, framed, signed_picture
from ...widgets.strips import number
from ...widgets.sums import product, round_consistently
from ..lesson.followed_token import follow_patch, followed_patch
from ..lesson.sections import draw_checks, draw_text, format_norm, patch_number, section, values_of
from . import sequence_data
from .following import follows_a_patch
from .settings import DIMENSION, INDEX


def projecting(choice: state.Choice, trace: Trace) -> None:
    """Draw section 4: the linear projection."""
    config = trace.config
    if config.stem:
        section(
            "4 · A network and a linear projection",
            "This model is a hybrid: a convolutional network processes the image, and a linear projection maps each "
            "position of its feature map to a token of {D} = {=D} numbers.",
            values_of(trace),
        )
        return
    size, bias = config.patch_size**2 * config.in_chans, sequence.has_bias(trace.model)
    text = (
        f"Each vector becomes a token, **x** {{W_LP}}{' + **b**' * bias}. Each column of the learned matrix {{W_LP}}, "
        f"{{P}}²{{C}} × {{D}} = {size} × {{=D}}, is a filter as large as a patch. Each output is the dot product of "
        f"patch and filter{', plus a bias' * bias}: large if the patch looks like the filter. "
    )
    st.header("4 · Linear projection", anchor=False)
    with st.container(key="embedding_space"):
        draw_text(f"{text}{compare_dimensions(size, config.embed_dim)} Point at a patch below.", values_of(trace))
    dimension = DIMENSION.draw(st.slider, "Output dimension", 1, config.embed_dim, context=config.embed_dim) - 1
    follows = follows_a_patch(trace, "projection")
    patch_picker(
        sequence_data.model_input(choice),
        choice.picked.name,
        trace.grid,
        followed_patch(trace) if follows else None,
        on_choose=follow_patch,
        overlay=replace(responses(trace, dimension), factor=_factor(trace, dimension)),
        key="dot_products",
    )
    if follows:
        _by_hand(trace, dimension)
    _galleries(choice, trace, dimension)


def responses(trace: Trace, dimension: int) -> Overlay:
    """Return the dot products of all patches with a filter."""
    values = sequence.filter_responses(trace, dimension).astype(np.float32)
    return Overlay(values, f"Dot product of each patch with filter {dimension + 1}", signed=True, format=number)


def _factor(trace: Trace, dimension: int) -> Factor:
    """Return the filter that the patches are multiplied by."""
    one = sequence.filters(trace.model)[dimension]
    return Factor(png(Image.fromarray(filter_picture(one[None])[0])), f"filter {dimension + 1}")


def compare_dimensions(patch_dim: int, embed_dim: int) -> str:
    """Compare the dimension of the embedding space with that of a patch, as text."""
    if embed_dim > patch_dim:
        return f"The embedding space has more dimensions than a patch: {embed_dim} > {patch_dim}."
    if embed_dim < patch_dim:
        return f"This embedding space has fewer dimensions than a patch: {embed_dim} < {patch_dim}."
    return f"The embedding space has the same dimension as a patch, {embed_dim}."


def chosen_component(trace: Trace) -> int:
    """Return the component of a patch's vector chosen in section 3, from 0."""
    return INDEX.get(trace.config.patch_size**2 * trace.config.in_chans) - 1


def _by_hand(trace: Trace, dimension: int) -> None:
    """Draw one output dimension of the followed patch: patch times filter, and the sum."""
    patch = patch_number(trace, followed_patch(trace))
    made = sequence.project(trace, patch, dimension)
    names = channel_names(made.pixels.shape[-1])
    sums = dict(zip(names, made.products.sum(axis=(0, 1)).tolist(), strict=True))
    if made.bias:
        sums["bias"] = made.bias
    parts, total = round_consistently([*sums.values()], made.total)
    terms = " + ".join(f"{name} {part}" for name, part in zip(sums, parts, strict=True))
    st.markdown(f"Dimension {dimension + 1}: {terms} = **{total}**")
    if made.norm is not None:
        st.markdown(f"A norm of the whole token follows: {format_norm(made.norm, made.dimension)}.")
    with st.expander("Number by number, for each channel"):
        _spelled_out(made, chosen_component(trace), names, parts)
    draw_checks(made.checks.values(), "projection")


def _spelled_out(made: sequence.Projected, index: int, names: tuple[str, ...], sums: list[str]) -> None:
    """Draw patch times filter by channel, and one product."""
    place = sequence.unflatten_index(index, len(made.pixels), made.pixels.shape[-1])
    st.html("".join(_multiplied(made, at, name, place, sums[at]) for at, name in enumerate(names)))
    factors = float(made.pixels[place]), float(made.filter[place])
    (pixel, weight), result = round_consistently(factors, float(made.products[place]), product)
    st.markdown(f"One product, that of component {index + 1} (framed): {pixel} × {weight} = **{result}**")


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


def _galleries(choice: state.Choice, trace: Trace, dimension: int) -> None:
    """Draw the galleries of all filters and of their principal components, closed until they are wanted."""
    with st.expander(f"All {trace.config.embed_dim} filters, and their principal components"):
        st.caption(f"Filter {dimension + 1} is outlined. Grey is 0; each filter has a scale of its own.")
        st.html(
            f"<style>.vv-filters figure:nth-child({dimension + 1}) img {{ outline: 3px solid {ATTENTION}; }}</style>"
            + sequence_data.filter_gallery(choice)
        )
        gallery = sequence_data.component_gallery(choice)
        with st.container(key="filter_components"):
            st.caption(
                f"The {gallery.count} directions in which the filters vary most explain {100 * gallery.share:.0f} % of "
                "their variance (as in figure 7, left, of the ViT paper)."
            )
            st.html(gallery.html)
