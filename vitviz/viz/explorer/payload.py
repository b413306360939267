"""Data of a trace for the explorer in the browser, in parts. Each part is a JSON header followed by raw sections.

    u32 header length | header | ...
        frame: pool float32 | JPEG
        a layer: q float16 | k float16 | logsum float32 | bias float32
        rows: rows float16

The frame contains everything that does not belong to a layer. It is sent first, so that the image appears at once. The
layer of the view is next, so that it follows the pointer while the others arrive. Of an image that the
server offers to all users, the app sends these two, and the browser fetches the others, a chosen layer before the rest.

Sections that a model does not have are empty: `bias` (relative positions: a table per head, indexed by query and key)
and `pool` (weights of an attention pooling, precomputed because its query is constant). Differential attention has two
log-sums for each query, one for each softmax.

The softmax is invariant to a shift of all keys of a head by the same vector. Keys are therefore centred before the
conversion to float16, which reduces the largest error of a weight about tenfold (9e-3 to 9e-4 at 224 px). This also
holds with a bias, and with two softmaxes, since each has its own channels.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ...analysis.arithmetic import numbers
from ...analysis.attention import log_sums, received_weights
from ...model.config import POOL
from ...notation.view import Scale, View, has_pool, pooling_note, scales
from ...trace.trace import Trace
from ..browser.binary import packed
from ..colour import UNIFORM_RANGE, overlay_map
from ..inline import text

LARGEST = 16_000_000  # maximum bytes of queries and keys; larger traces are sent one layer at a time


@dataclass(frozen=True)
class Vectors:
    """Serialized queries and keys of some layers.

    Attributes:
        layers: layer indices, in order.
        q: queries, float16 [layer, head, token, channel].
        k: centred keys, same shape.
        logsum: log of the sum of exp(score) over the keys for each query, float32 [layer, head, token], or
            [layer, head, 2, token] for differential attention, computed from the vectors as sent. It allows computing
            a single column of weights.
        bias: relative position bias for this grid, float32 [layer, head, entry], in the order of
            `vitviz.model.position_embeddings.relative_index`; empty if the model has none.
    """

    layers: tuple[int, ...]
    q: bytes
    k: bytes
    logsum: bytes
    bias: bytes

    def of(self, layer: int) -> dict[str, bytes]:
        """Return the sections of one layer."""
        at, count = self.layers.index(layer), len(self.layers)
        sections = {"q": self.q, "k": self.k, "logsum": self.logsum, "bias": self.bias}
        sizes = {name: len(all_of_them) // count for name, all_of_them in sections.items()}
        return {name: sections[name][at * size : (at + 1) * size] for name, size in sizes.items()}


def fits_at_once(trace: Trace) -> bool:
    """Return True if the queries, keys, log-sums and biases of all layers can be sent together."""
    config, (rows, columns) = trace.config, trace.grid
    sums = trace.token_count * (2 if config.differential else 1)
    distances = (2 * rows - 1) * (2 * columns - 1) + 3 if config.relative_position_bias else 0
    return 4 * trace.layers * (trace.queries(0).size + trace.heads * (sums + distances)) <= LARGEST


def vectors(trace: Trace, layers: tuple[int, ...]) -> Vectors:
    """Return queries, centred keys, log-sums and biases of some layers, without the pooling, which has none."""
    layers = tuple(layer for layer in layers if layer < trace.layers)
    q, k, logsum, bias = [], [], [], []
    for layer in layers:
        attn = trace.model.blocks[layer].attn
        queries = torch.from_numpy(np.array(trace.queries(layer)))
        keys = torch.from_numpy(np.array(trace.keys(layer)))
        keys -= keys.mean(dim=1, keepdim=True)
        queries, keys = queries.half(), keys.half()
        with torch.no_grad():  # the same scores as in the browser, including rounding
            scores = attn.score(queries.float(), keys.float(), attn.bias(trace.grid))
        q.append(queries.numpy().tobytes())
        k.append(keys.numpy().tobytes())
        logsum.append(scores.logsumexp(dim=-1).numpy().tobytes())
        if trace.config.relative_position_bias:
            bias.append(_bias_table(trace, layer).tobytes())
    return Vectors(layers, b"".join(q), b"".join(k), b"".join(logsum), b"".join(bias))


def _bias_table(trace: Trace, layer: int) -> np.ndarray:
    """Relative position bias by distance, float32 [head, entry]."""
    return np.ascontiguousarray(numbers(trace.model.blocks[layer].attn.relative.for_grid(trace.grid)).T)


def payload(
    trace: Trace, sent: Vectors, view: View, *, picture: bytes, image_name: str, sums: np.ndarray | None = None
) -> dict[str, bytes]:
    """Return the parts needed to show any view of a trace, by name, in the order of sending.

    The view itself is sent separately.

    Args:
        trace: trace to explore.
        sent: vectors of the layers that follow the pointer.
        view: current view. Its layer is sent first, and layers that are not sent show its token or patches.
        picture: displayed image, JPEG.
        image_name: alternative text of the picture.
        sums: precomputed `vitviz.analysis.attention.log_sums(trace)`, used for columns of layers that are not sent.
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
    """Attention weights of all heads for the view's token or patches, float16 [layer, head, token]."""
    token, layers = view.token(trace), range(trace.layers)
    if view.direction == "from":
        rows = [trace.attention(layer, query=token) for layer in layers]
    elif isinstance(token, tuple):
        # one matrix at a time: those of all heads of a layer take gigabytes at large sizes
        heads = range(trace.heads)
        rows = [[View(layer, head, token, "to").weights(trace) for head in heads] for layer in layers]
    else:
        sums = log_sums(trace) if sums is None else sums
        rows = [received_weights(trace, layer, token, sums) for layer in layers]
    return np.stack(rows).astype(np.float16)


def prefix_marks(trace: Trace) -> list[str]:
    """Return short names of the prefix tokens: CLS, DIST, R1, R2, ..."""
    short = {"class token": "CLS", "distillation token": "DIST"}
    return [short.get(name) or name.replace("register ", "R") for name in trace.config.prefix_token_names]


def as_jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    """Encode a picture as JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def limited_jpeg(jpeg: bytes, most: int) -> bytes:
    """Return a JPEG of at most this many bytes: of lower quality, from 50 on with half of the rows and columns."""
    picture, quality = Image.open(io.BytesIO(jpeg)), 90
    while len(jpeg) > most:
        quality -= 10
        if quality < 50:
            picture, quality = picture.reduce(2), 80
        jpeg = as_jpeg(picture, quality)
    return jpeg
