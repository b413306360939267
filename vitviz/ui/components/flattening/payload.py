"""Payload of the flattened patch, and validation of its messages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ....viz.colour import colour_map, tone
from ....viz.inline import text
from ...widgets.strips import number
from .._shared import whole_number


def payload(picture: np.ndarray, pixels: np.ndarray, channels: Sequence[str], chosen: int) -> dict:
    """Return the state of the component; see `flattening` for the arguments. Equal arguments, equal payloads.

    Raises:
        ValueError: if the arrays do not belong together, or the component does not exist.
    """
    side, vector = len(pixels), pixels.reshape(-1)
    if pixels.shape != (side, side, len(channels)) or picture.shape != (side, side, 3) or picture.dtype != np.uint8:
        raise ValueError(
            f"Pixels of shape {pixels.shape}, a picture of shape {picture.shape} and {len(channels)} channels do not "
            "describe one patch."
        )
    if not 0 <= chosen < len(vector):
        raise ValueError(f"Component {chosen} is outside a vector of {len(vector)} numbers.")
    largest = float(np.abs(vector).max())
    tones = np.round(tone(vector, "relative", 1, signed=True) * 255).astype(np.uint8)
    return {
        "side": side,
        "channels": list(channels),
        "picture": text(_opaque(picture).tobytes()),
        "tones": text(tones.tobytes()),
        "colours": _colours(),
        "labels": [number(float(value)) for value in vector],
        "low": number(-largest),
        "high": number(largest),
        "chosen": int(chosen),
    }


def read_choice(message: object, count: int) -> int:
    """Parse a component sent by a browser.

    Raises:
        ValueError: if the message is invalid or belongs to a vector of another length.
    """
    if not isinstance(message, dict) or set(message) != {"index", "count"}:
        raise ValueError("not a choice of a component")
    if message["count"] != count:
        raise ValueError("a component of another vector")
    index = whole_number(message["index"])
    if not 0 <= index < count:
        raise ValueError(f"no such component in a vector of {count}")
    return index


def _opaque(colours: np.ndarray) -> np.ndarray:
    """Add an alpha channel to RGB colours."""
    return np.concatenate([colours, np.full((*colours.shape[:-1], 1), 255, np.uint8)], axis=-1)


@cache
def _colours() -> str:
    """Return the colours of all tones, base64 of RGBA."""
    return text(_opaque(colour_map("relative", signed=True)).tobytes())
