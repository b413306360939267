"""What the explorer in the browser gets: one JSON header, then raw sections.

    u32 header length | header | q float16 | k float16 | logsum float32 | rows float16 | JPEG

The softmax does not change when every key of a head is shifted by the same vector. Keys are therefore centred before
they become float16, which makes the largest error of a weight some ten times smaller (9e-3 to 9e-4 at 224 px).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import asdict, dataclass

import numpy as np
import torch
from PIL import Image

from ...attention import log_sums, received_weights
from ...colour import UNIFORM_RANGE, colour_map
from ...trace import Trace
from ...view import SCALES, View

LARGEST = 16_000_000  # bytes; a trace whose queries and keys are larger is sent one layer at a time


@dataclass(frozen=True)
class Vectors:
    """Queries and keys of some layers, ready to be sent.

    Attributes:
        layers: which layers, in order.
        q: their queries, float16 [layer, head, token, channel].
        k: their keys, centred, of the same shape.
        logsum: float32 [layer, head, token]: log of the sum over the keys of exp(score) for each query, with the
            vectors as sent; with it one column of weights needs no other.
    """

    layers: tuple[int, ...]
    q: bytes
    k: bytes
    logsum: bytes


def fits_at_once(trace: Trace) -> bool:
    """Whether the queries, keys and log-sums of all layers can be sent at once."""
    return trace.layers * (4 * trace.queries(0).size + 4 * trace.heads * trace.token_count) <= LARGEST


def vectors(trace: Trace, layers: tuple[int, ...]) -> Vectors:
    """Queries, centred keys and log-sums of some layers."""
    q, k, logsum = [], [], []
    for layer in layers:
        queries = torch.from_numpy(np.array(trace.queries(layer)))
        keys = torch.from_numpy(np.array(trace.keys(layer)))
        keys -= keys.mean(dim=1, keepdim=True)
        queries, keys = queries.half(), keys.half()
        scores = queries.float() @ keys.float().mT * trace.config.scale  # as the browser finds them, rounding and all
        q.append(queries.numpy().tobytes())
        k.append(keys.numpy().tobytes())
        logsum.append(scores.logsumexp(dim=-1).numpy().tobytes())
    return Vectors(layers, b"".join(q), b"".join(k), b"".join(logsum))


def payload(
    trace: Trace, sent: Vectors, view: View, *, picture: bytes, image_name: str, sums: np.ndarray | None = None
) -> bytes:
    """Everything that the explorer needs to show a trace.

    Args:
        trace: what is looked at.
        sent: the vectors of the layers that follow the pointer.
        view: what is shown first, until the visitor chooses; and, if not all layers are sent, what the others show.
        picture: the photo as JPEG.
        image_name: what the picture shows, for those who cannot see it.
        sums: `vitviz.attention.log_sums(trace)`, if they are at hand; needed for columns of layers that are not sent.
    """
    rows = b"" if len(sent.layers) == trace.layers else pinned_rows(trace, view, sums).tobytes()
    header = {
        "view": asdict(view),
        "rows_of": {"token": view.token(trace), "direction": view.direction},
        "picture_id": hashlib.sha256(picture).hexdigest(),
        "image_name": image_name,
        "layers": trace.layers,
        "heads": trace.heads,
        "grid": trace.grid,
        "channels": trace.config.head_width,
        "scale": trace.config.scale,
        "class_token": trace.config.class_token,
        "prefix_names": trace.config.prefix_names,
        "prefix_marks": prefix_marks(trace),
        "held": sent.layers,
        "uniform_range": UNIFORM_RANGE,
        "colours": {scale: base64.b64encode(colour_map(scale).tobytes()).decode() for scale in SCALES},
    }
    return _packed(header, {"q": sent.q, "k": sent.k, "logsum": sent.logsum, "rows": rows, "picture": picture})


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
    """Short names of the prefix tokens: CLS, R1, R2, ..."""
    marks = [f"R{i + 1}" for i in range(trace.config.registers)]
    return ["CLS", *marks] if trace.config.class_token else marks


def as_jpeg(picture: Image.Image) -> bytes:
    """A picture as JPEG bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _packed(header: dict, sections: dict[str, bytes]) -> bytes:
    digest = hashlib.sha256(json.dumps(header).encode())
    for section in sections.values():
        digest.update(section)
    padded = [_padded(section, b"\0") for section in sections.values()]
    starts = np.cumsum([0, *map(len, padded)]).tolist()
    places = {name: [at, len(section)] for (name, section), at in zip(sections.items(), starts, strict=False)}
    text = _padded(json.dumps(header | {"key": digest.hexdigest(), "sections": places}).encode(), b" ")
    return b"".join((len(text).to_bytes(4, "little"), text, *padded))


def _padded(part: bytes, filler: bytes) -> bytes:
    """Lengthen to a multiple of four bytes: typed arrays in the browser have to begin at one."""
    return part + filler * (-len(part) % 4)
