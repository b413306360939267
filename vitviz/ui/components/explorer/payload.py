"""Data of a trace for the explorer in the browser, in parts: of each, one JSON header, then raw sections.

    u32 header length | header | ...
        frame: pool float32 | JPEG
        a layer: q float16 | k float16 | logsum float32 | bias float32
        rows: rows float16

The frame says all that is not of a layer. It arrives first, so that a visitor sees the image at once; then the layer
that is looked at, so that it follows the pointer while the others arrive.

What only some models have is empty for the others: `bias` (relative positions: a small table for each head, in which
the browser finds the number for a query and a key) and `pool` (the weights of an attention pooling, ready made, for its
query never changes). Differential attention has two log-sums for each query, one for each softmax.

The softmax does not change when every key of a head is shifted by the same vector. Keys are therefore centred before
they become float16, which makes the largest error of a weight some ten times smaller (9e-3 to 9e-4 at 224 px). A bias
changes nothing about that; nor do two softmaxes, each of which has channels of its own.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ....analysis.attention import log_sums, received_weights
from ....model.config import POOL
from ....notation.view import Scale, TokenLayout, View, has_pool, pooling_note, scales
from ....trace.trace import Trace
from ....viz.colour import UNIFORM_RANGE, Style, overlay_map
from ....viz.inline import text
from .._shared import packed, whole_number

LARGEST = 16_000_000  # bytes; a trace whose queries and keys are larger is sent one layer at a time


@dataclass(frozen=True)
class Vectors:
    """Queries and keys of some layers, ready to be sent.

    Attributes:
        layers: which layers, in order.
        q: their queries, float16 [layer, head, token, channel].
        k: their keys, centred, of the same shape.
        logsum: float32 [layer, head, token], or [layer, head, 2, token] of differential attention: log of the sum over
            the keys of exp(score) for each query, with the vectors as sent; with it one column of weights needs no
            other.
        bias: float32 [layer, head, entry]: the tables of relative positions for this grid, in the order of
            `vitviz.model.position_embeddings.relative_index`; empty if the model has none.
    """

    layers: tuple[int, ...]
    q: bytes
    k: bytes
    logsum: bytes
    bias: bytes

    def of(self, layer: int) -> dict[str, bytes]:
        """The sections of one of the layers."""
        at, count = self.layers.index(layer), len(self.layers)
        sections = {"q": self.q, "k": self.k, "logsum": self.logsum, "bias": self.bias}
        sizes = {name: len(all_of_them) // count for name, all_of_them in sections.items()}
        return {name: sections[name][at * size : (at + 1) * size] for name, size in sizes.items()}


def fits_at_once(trace: Trace) -> bool:
    """Whether the queries, keys, log-sums and biases of all layers can be sent at once."""
    config, (rows, columns) = trace.config, trace.grid
    sums = trace.token_count * (2 if config.differential else 1)
    distances = (2 * rows - 1) * (2 * columns - 1) + 3 if config.relative_position_bias else 0
    return 4 * trace.layers * (trace.queries(0).size + trace.heads * (sums + distances)) <= LARGEST


def vectors(trace: Trace, layers: tuple[int, ...]) -> Vectors:
    """Queries, centred keys, log-sums and biases of some layers; the pooling has none, and is left out."""
    layers = tuple(layer for layer in layers if layer < trace.layers)
    q, k, logsum, bias = [], [], [], []
    for layer in layers:
        attn = trace.model.blocks[layer].attn
        queries = torch.from_numpy(np.array(trace.queries(layer)))
        keys = torch.from_numpy(np.array(trace.keys(layer)))
        keys -= keys.mean(dim=1, keepdim=True)
        queries, keys = queries.half(), keys.half()
        with torch.no_grad():  # the scores as the browser finds them, rounding and all
            scores = attn.score(queries.float(), keys.float(), attn.bias(trace.grid))
        q.append(queries.numpy().tobytes())
        k.append(keys.numpy().tobytes())
        logsum.append(scores.logsumexp(dim=-1).numpy().tobytes())
        if trace.config.relative_position_bias:
            bias.append(_bias_table(trace, layer).tobytes())
    return Vectors(layers, b"".join(q), b"".join(k), b"".join(logsum), b"".join(bias))


def _bias_table(trace: Trace, layer: int) -> np.ndarray:
    """A number for each distance, float32 [head, entry]."""
    return trace.model.blocks[layer].attn.relative.for_grid(trace.grid).numpy(force=True).T.astype(np.float32, "C")


def payload(
    trace: Trace, sent: Vectors, view: View, *, picture: bytes, image_name: str, sums: np.ndarray | None = None
) -> dict[str, bytes]:
    """Everything that the explorer needs to show any view of a trace, in the order in which it is sent, by name.

    Which view it shows is said apart.

    Args:
        trace: what is looked at.
        sent: the vectors of the layers that follow the pointer.
        view: whose layer goes first, and whose token the other layers show, if not all are sent.
        picture: the photo as JPEG.
        image_name: what the picture shows, for those who cannot see it.
        sums: `vitviz.analysis.attention.log_sums(trace)`, if they are at hand; needed for columns of layers that are
            not sent.
    """
    all_live = len(sent.layers) == trace.layers
    pool = trace.attention(POOL)[:, 0].tobytes() if has_pool(trace) else b""
    config, signed = trace.config, trace.config.differential
    header = {
        "picture_id": hashlib.sha256(picture).hexdigest(),
        "image_name": image_name,
        "layers": trace.layers,
        "heads": trace.heads,
        "pool_heads": config.pool_num_heads if has_pool(trace) else 0,
        "pool_reads": View(trace.layers).num_keys(trace),
        "grid": trace.grid,
        "channels": config.head_dim,
        "scale": config.scale,
        "row_sums": [trace.row_sum(layer) for layer in range(trace.layers)] if signed else None,
        "class_token": config.class_token,
        "prefix_names": config.prefix_token_names,
        "prefix_marks": prefix_marks(trace),
        "readout": pooling_note(config),
        "all_live": all_live,
        "uniform_range": UNIFORM_RANGE,
        "colours": {scale: _colours(scale, signed) for scale in scales(trace)},
    }
    parts = {"frame": packed(header, {"pool": pool, "picture": picture})}
    for layer in sorted(sent.layers, key=lambda layer: (layer != view.layer, layer)):
        parts[f"layer {layer}"] = packed({"layer": layer}, sent.of(layer))
    if not all_live:
        rows_of = {"token": view.token(trace), "direction": view.direction}
        parts["rows"] = packed({"rows_of": rows_of}, {"rows": pinned_rows(trace, view, sums).tobytes()})
    return parts


def _colours(scale: Scale, signed: bool) -> str:
    return text(overlay_map(scale, signed).tobytes())


def pinned_rows(trace: Trace, view: View, sums: np.ndarray | None = None) -> np.ndarray:
    """What all heads show for the view's token, float16 [layer, head, token]."""
    token, layers = view.token(trace), range(trace.layers)
    if view.direction == "from":
        rows = [trace.attention(layer, query=token) for layer in layers]
    else:
        sums = log_sums(trace) if sums is None else sums
        rows = [received_weights(trace, layer, token, sums) for layer in layers]
    return np.stack(rows).astype(np.float16)


def prefix_marks(trace: Trace) -> list[str]:
    """Short names of the prefix tokens: CLS, DIST, R1, R2, ..."""
    short = {"class token": "CLS", "distillation token": "DIST"}
    return [short.get(name) or name.replace("register ", "R") for name in trace.config.prefix_token_names]


def as_jpeg(picture: Image.Image) -> bytes:
    """A picture as JPEG bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def read_style(message: object) -> Style:
    """The style that a browser tells.

    Raises:
        ValueError: if it is not that. Anybody can send a message.
    """
    if isinstance(message, dict) and "opacity" in message:
        message = message | {"opacity": whole_number(message["opacity"])}
    return Style.read(message)


def read_view(message: object) -> tuple[View, TokenLayout]:
    """The view that a browser tells, and the places of the trace that it showed.

    Raises:
        ValueError: if it is not that. Anybody can send a message.
    """
    if not isinstance(message, dict) or set(message) != {"view", "places"}:
        raise ValueError("not a view and where it was")
    seen = message["places"]
    if not isinstance(seen, list) or len(seen) != 3:
        raise ValueError("not the places of a trace")
    prefix, rows, columns = map(whole_number, seen)
    return View.from_dict(message["view"]), (prefix, rows, columns)
