"""Cached analyses of the tokens, shared by all users. No result keeps a model in memory."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from ....analysis import tokens
from ....trace.trace import Trace
from ...app import state
from ...app.activations import activations, residual_stream
from ...app.cache import cached

THUMBNAIL = 240  # pixels


def layer_tokens(choice: state.Choice, layer: int) -> np.ndarray:
    """Return the tokens after a layer, float32 [token, D]."""
    name = f"blocks.{layer}.resid_post"
    return activations(choice, name)[name]


def norms(choice: state.Choice) -> np.ndarray:
    """Return the L2 norms of all tokens, before the first block and after each, float32 [1 + layer, token]."""
    return _norms(choice.key, choice)


def received(choice: state.Choice) -> np.ndarray:
    """Return the share of attention that each token receives, mean over heads, float32 [layer, token]."""
    return _received(choice.key, state.trace(choice))


def pca(choice: state.Choice, together: bool, foreground: bool, swap: bool) -> tokens.PcaOfLayers:
    """Return three principal components of the patches for every layer."""
    return _pca(choice.key, together, foreground, swap and foreground, choice)


def thumbnails(choice: state.Choice, together: bool, foreground: bool, swap: bool) -> list[bytes]:
    """Return the components of every layer as colours, small PNGs."""
    components = pca(choice, together, foreground, swap)
    return _thumbnails((*choice.key, together, foreground, swap and foreground), state.trace(choice).grid, components)


def as_picture(colours: np.ndarray, grid: tuple[int, int], longest: int) -> Image.Image:
    """Return an image of patch colours, uint8 [patch, 3], with sharp patch edges; `longest` is its longer side."""
    rows, columns = grid
    side = max(1, longest // max(grid))
    return Image.fromarray(colours.reshape(rows, columns, 3)).resize(
        (columns * side, rows * side), Image.Resampling.NEAREST
    )


def as_png(picture: Image.Image) -> bytes:
    """Encode an image as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@cached()
def _norms(key: tuple, _choice: state.Choice) -> np.ndarray:
    return tokens.norms(residual_stream(_choice))


@cached("Averaging the attention of all heads …")
def _received(key: tuple, _trace: Trace) -> np.ndarray:
    with state.one_at_a_time:
        return np.stack([tokens.received(_trace, layer).mean(axis=0) for layer in range(_trace.layers)])


@cached("Computing principal components …")
def _pca(key: tuple, together: bool, foreground: bool, swap: bool, _choice: state.Choice) -> tokens.PcaOfLayers:
    trace = state.trace(_choice)
    patches = residual_stream(_choice)[1:, trace.prefix :]
    with state.one_at_a_time:
        return tokens.pca_of_layers(patches, together=together, grid=trace.grid if foreground else None, swap=swap)


@cached()
def _thumbnails(key: tuple, grid: tuple[int, int], _components: tokens.PcaOfLayers) -> list[bytes]:
    pictures = (as_picture(_components.colours(layer), grid, THUMBNAIL) for layer in range(len(_components.scores)))
    return [as_png(ImageOps.pad(picture, (THUMBNAIL, THUMBNAIL), color="grey")) for picture in pictures]
