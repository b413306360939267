"""Contents of an explorer outside of the app: the first view, the layers, the picture, and a description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...analysis.default_view import default_view
from ...errors import ArgumentError, EditError, ImageError
from ...errors.arguments import array, checked_index, of_kind, one_of
from ...images import SafeImage, read_image
from ...model.applied_edits import apply
from ...model.config import POOL
from ...notation.edits import edit_label
from ...notation.queries import Query, as_query, places
from ...notation.view import View, has_pool
from ...trace.trace import Trace
from ..picture import input_picture, sharp_picture
from .payload import as_jpeg, fits_at_once, payload, vectors

UNNAMED = "image"
_LEAST = 480  # pixels of the longer side; smaller pictures are enlarged before they become JPEGs


class Shown(NamedTuple):
    """Picture of the model input.

    Attributes:
        name: name of the image.
        jpeg: the picture, JPEG.
    """

    name: str
    jpeg: bytes


def first_view(
    trace: Trace,
    layer: int | str | None = None,
    head: int | None = None,
    query: int | Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
) -> View:
    """Return the view with which an explorer opens; arguments and errors as in `Trace.save_html`."""
    view = _view(trace, layer, head, query)
    chosen = _checked(trace, layers)
    return View(max(chosen), None, view.query) if layer is None and chosen and view.layer not in chosen else view


def kept_layers(trace: Trace, view: View, layers: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the layers whose queries and keys a file contains, in order.

    Args:
        trace: trace to explore.
        view: view with which the file opens.
        layers: chosen layers, to which that of the view is added; None for all layers if they take at most 16 MB, and
            else only that of the view.

    Raises:
        IndexError: if a layer is out of range.
        ArgumentError: if the layers are not a list of indices.
    """
    chosen = _checked(trace, layers)
    if chosen is None and fits_at_once(trace):
        return tuple(range(trace.layers))
    return tuple(sorted((chosen or set()).union(_of_view(trace, view))))


def _of_view(trace: Trace, view: View) -> tuple[int, ...]:
    return () if view.is_pool(trace) else (view.layer,)


def _view(trace: Trace, layer: int | str | None, head: int | None, query: int | Sequence[int] | None) -> View:
    if layer is None:
        if head is not None or query is not None:
            raise ArgumentError("A head or query needs a layer; give layer= as well.")
        return default_view(trace)
    if isinstance(layer, str):
        one_of(layer, [POOL] if has_pool(trace) else [], "layer of this name")
        view = View(trace.layers, None)
    else:
        view = View(checked_index(layer, trace.layers, "layer"), None)
    head = None if head is None else checked_index(head, view.num_heads(trace), "head")
    return replace(view, head=head, query=None if query is None else _query(trace, query))


def _query(trace: Trace, query: int | Sequence[int]) -> Query:
    several = isinstance(query, Sequence | np.ndarray) and not isinstance(query, str | bytes)
    several = several and getattr(query, "ndim", 1)  # an array may also be a single number
    chosen = as_query([trace.token_index(token) for token in (query if several else [query])])
    places(chosen, trace)  # a region has no prefix tokens
    return chosen


def _checked(trace: Trace, layers: Sequence[int] | None) -> set[int] | None:
    if layers is None:
        return None
    return {checked_index(layer, trace.layers, "layer") for layer in array(layers, "layer", "The argument 'layers'")}


def shown(trace: Trace, image: str | Path | bytes | Image.Image | None) -> Shown:
    """Return the picture of a trace.

    Args:
        trace: trace of the image.
        image: the original image, for a sharper picture than the model input; None for the model input.

    Raises:
        ImageError: if the image cannot be read, or is not that of the trace.
    """
    of_kind(image, str | Path | bytes | Image.Image | None, "image")
    name = Path(image).name if isinstance(image, str | Path) else UNNAMED
    if image is not None:
        return Shown(name, as_jpeg(_sharp(trace, read_image(image))))
    picture = input_picture(trace)
    factor = max(1, -(-_LEAST // max(picture.size)))
    return Shown(name, as_jpeg(picture.resize([factor * side for side in picture.size], Image.Resampling.BICUBIC)))


def _sharp(trace: Trace, image: SafeImage) -> Image.Image:
    if trace.image is None or trace.image.geometry.original != image.rgb.size:
        raise ImageError("This is not the image that was traced; leave out image=, or give the original file.")
    return sharp_picture(image, trace.image)


def check_computable(trace: Trace) -> None:
    """Check that attention can be computed from queries and keys alone.

    Raises:
        EditError: if an edit of the trace changes the attention scores.
    """
    for edit in trace.edits:
        applied = apply([edit], trace.config, trace.grid)
        if any(map(applied.changes_scores, range(trace.layers))):
            label = edit_label(edit, trace.config, trace.grid)
            raise EditError(
                f"The explorer computes attention from queries and keys, which leaves out this edit: {label}; show "
                "trace.rerun() or use trace.heatmap()."
            )


def parts_of(trace: Trace, view: View, layers: tuple[int, ...], picture: Shown) -> dict[str, bytes]:
    """Return the parts of an explorer, see `vitviz.viz.explorer.payload.payload`."""
    check_computable(trace)
    return payload(trace, vectors(trace, layers), view, picture=picture.jpeg, image_name=picture.name)


def description(trace: Trace, name: str, model_title: str, layers: tuple[int, ...]) -> dict[str, str]:
    """Return what an explorer shows, by title, as plain text: image, model, input, and how it was computed."""
    config, model, (rows, columns), patch = trace.config, trace.model, trace.grid, trace.config.patch_size
    shape = f"{columns * patch} × {rows * patch} pixels, {rows} × {columns} patches"
    facts = {
        "Image": name,
        "Model": f"{model_title}, {trace.layers} layers with {trace.heads} heads",
        "Input": f"{shape}{_crop(trace)}. {_preprocessing(trace)}",
    }
    if trace.edits:
        facts["Edits"] = "; ".join(edit_label(edit, config, trace.grid) for edit in trace.edits)
    if trace.edited:
        facts["Edits"] = "The trace was made in an edit block, which changed activations."
    if model.notes:
        facts["Assumed"] = " ".join(model.notes)
    some = f"{len(layers)} of " if len(layers) < trace.layers else "all "
    facts["Computed"] = (
        f"The page contains the queries and keys of {some}{trace.layers} layers from one forward pass, as float16, "
        "and computes the attention weights from them."
    )
    return facts


def _crop(trace: Trace) -> str:
    if trace.image is None:
        return ""
    geometry = trace.image.geometry
    width, height = geometry.original
    share = f"{100 * geometry.visible_fraction:.0f} % of the image of {width} × {height} pixels"
    return f", {share}{', padded' if geometry.padded else ''}"


def _preprocessing(trace: Trace) -> str:
    if trace.image is None:
        return "The model was given a normalised tensor; the picture is drawn from it."
    used = trace.model.preprocessing
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (used.mean, used.std))
    return f"Normalised with mean {mean} and standard deviation {std}; {used.interpolation} interpolation."
