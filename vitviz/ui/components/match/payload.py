"""Payload of the two pictures, and validation of its messages.

Parts, each a JSON header followed by raw sections:

    frame: picture_a, picture_b (JPEG) | colours_a, colours_b (uint8 [patch, 3], or empty)
    partners: to_b float32 [patch of A] | to_a float32 [patch of B] | pairs float32 [pair, 3]
    attention_a, attention_b: q float16 | k float16 | bias float32, of one layer, as in the explorer
    similarity: units_a, units_b float16 [patch, D]; left out if the tokens cannot be compared
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np

from ....notation.marks import format_head
from ....trace.trace import Trace
from ....viz.colour import OPACITY, overlay_map
from ....viz.explorer.payload import Vectors
from ....viz.inline import text
from .._shared import packed

Show = Literal["similarity", "attention", "colours"]
SHOWS: tuple[Show, ...] = get_args(Show)


@dataclass(frozen=True)
class Shown:
    """Settings of the pictures.

    Attributes:
        show: `"similarity"` of the patches, `"attention"` of one head, or `"colours"` of components.
        lines: True to draw lines between mutual nearest neighbours.
        threshold: smallest cosine similarity of a line, from -1 to 1.
    """

    show: Show = "similarity"
    lines: bool = False
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class Side:
    """Picture with its data.

    Attributes:
        title: title above the picture, such as the name of the image or of the model.
        name: alternative text of the picture.
        picture: JPEG of exactly the area of the patches.
        trace: trace of the image.
        layer: layer of the attention, from 0.
        head: head of that layer, from 0.
        vectors: queries and keys of that layer.
        units: unit vectors of the patches, float32 [patch, D]; None if they cannot be compared with the other side's.
        colours: colours of the patches, uint8 [patch, 3]; None for none.
    """

    title: str
    name: str
    picture: bytes
    trace: Trace
    layer: int
    head: int
    vectors: Vectors
    units: np.ndarray | None = None
    colours: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Pairing:
    """Partner of each patch in the other picture.

    Attributes:
        kind: `"match"` for the most similar patch, `"place"` for the patch at the same place.
        to_b: patch of B of each patch of A, int [patch of A]; -1 for none.
        to_a: patch of A of each patch of B, int [patch of B]; -1 for none.
        pairs: mutual nearest neighbours, float32 [pair, 3]: patch of A, patch of B and their cosine similarity.
        note: text after the name of the similarity in the legend, such as `", mean token subtracted"`.
    """

    kind: Literal["match", "place"]
    to_b: np.ndarray
    to_a: np.ndarray
    pairs: np.ndarray | None = None
    note: str = ""


def state(a: Side, b: Side, pairing: Pairing, shown: Shown, chosen: tuple[int, int]) -> dict:
    """Return the state without the large parts; see `match_view` for the arguments. Equal arguments, equal states.

    Raises:
        ValueError: if the chosen patch is outside the grid of A.
    """
    if not all(0 <= at < count for at, count in zip(chosen, a.trace.grid, strict=True)):
        raise ValueError(f"The patch {tuple(chosen)} is outside the grid {a.trace.grid}.")
    return {
        "a": _described(a),
        "b": _described(b),
        "pairing": pairing.kind,
        "note": pairing.note,
        "shows": offered(a, b),
        "shown": asdict(shown),
        "chosen": [int(at) for at in chosen],
    }


def offered(a: Side, b: Side) -> list[Show]:
    """Return what can be shown with the data of both sides."""
    known = {
        "similarity": a.units is not None and b.units is not None,
        "attention": True,
        "colours": a.colours is not None and b.colours is not None,
    }
    return [show for show in SHOWS if known[show]]


def parts(a: Side, b: Side, pairing: Pairing) -> dict[str, bytes]:
    """Return the large parts by name, in the order of sending.

    Raises:
        ValueError: if the number of partners, vectors or colours differs from the number of patches.
    """
    sides = {"a": a, "b": b}
    for side, partners in ((a, pairing.to_b), (b, pairing.to_a)):
        patches = side.trace.grid[0] * side.trace.grid[1]
        for values in (partners, side.units, side.colours):
            if values is not None and len(values) != patches:
                raise ValueError(f"{len(values)} values do not match {patches} patches of {side.title!r}.")
    header = {
        "grids": {name: side.trace.grid for name, side in sides.items()},
        "opacity": OPACITY,
        "tables": {
            "similarity": text(overlay_map("raw", True).tobytes()),
            **{f"attention_{name}": text(_attention_map(side).tobytes()) for name, side in sides.items()},
        },
    }
    pictures = {f"picture_{name}": side.picture for name, side in sides.items()}
    colours = {
        f"colours_{name}": b"" if side.colours is None else side.colours.tobytes() for name, side in sides.items()
    }
    pairs = np.zeros((0, 3)) if pairing.pairs is None else pairing.pairs
    partners = {"to_b": pairing.to_b, "to_a": pairing.to_a, "pairs": pairs}
    data = {
        "frame": packed(header, pictures | colours),
        "partners": packed({}, {name: values.astype(np.float32).tobytes() for name, values in partners.items()}),
        "attention_a": _attention(a),
        "attention_b": _attention(b),
    }
    if "similarity" in offered(a, b):
        units = {f"units_{name}": side.units.astype(np.float16).tobytes() for name, side in sides.items()}
        data["similarity"] = packed({"embed_dim": int(a.units.shape[1])}, units)
    return data


def read_shown(message: object) -> Shown:
    """Parse what a user wants to see, as sent by a browser.

    Raises:
        ValueError: if the message is invalid.
    """
    if not isinstance(message, dict) or set(message) != {"show", "lines", "threshold"}:
        raise ValueError("not what can be shown")
    show, lines, threshold = (message[name] for name in ("show", "lines", "threshold"))
    if show not in SHOWS or not isinstance(lines, bool):
        raise ValueError("nothing that can be shown")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not -1 <= threshold <= 1:
        raise ValueError("no threshold")
    return Shown(show, lines, round(float(threshold), 2))


def _described(side: Side) -> dict:
    trace = side.trace
    return {
        "title": side.title,
        "name": side.name,
        "layer": side.layer,
        "head": side.head,
        "head_name": f"layer {side.layer + 1}, head {format_head(side.head)}",
        "prefix_names": list(trace.config.prefix_token_names),
    }


def _attention(side: Side) -> bytes:
    """Pack queries and keys of one layer, with what the explorer's `AttentionData` needs to know about the model."""
    trace, config = side.trace, side.trace.config
    header = {
        "layers": 1,
        "heads": trace.heads,
        "pool_heads": 0,
        "grid": trace.grid,
        "channels": config.head_dim,
        "scale": config.scale,
        "row_sums": [trace.row_sum(side.layer)] if config.differential else None,
        "class_token": config.class_token,
        "prefix_names": config.prefix_token_names,
    }
    sections = side.vectors.of(side.layer)
    return packed(header, {name: sections[name] for name in ("q", "k", "bias")})


def _attention_map(side: Side) -> np.ndarray:
    return overlay_map("relative", side.trace.config.differential)
