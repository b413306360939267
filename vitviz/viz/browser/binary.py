"""Binary payloads for the browser: `u32 header length | JSON header | sections`, as read by binary.js."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def packed(header: dict, sections: dict[str, bytes], key: str | None = None) -> bytes:
    """Pack a header and raw sections. The header gets a `key`: the given one, by default a digest of the contents."""
    key = key or _digest(header, sections)
    padded = [_padded(section, b"\0") for section in sections.values()]
    starts = np.cumsum([0, *map(len, padded)]).tolist()
    places = {name: [at, len(section)] for (name, section), at in zip(sections.items(), starts, strict=False)}
    text = _padded(json.dumps(header | {"key": key, "sections": places}).encode(), b" ")
    return b"".join((len(text).to_bytes(4, "little"), text, *padded))


def header_of(data: bytes) -> dict:
    """Return the header of a payload made by `packed`."""
    return json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])


def _digest(header: dict, sections: dict[str, bytes]) -> str:
    digest = hashlib.sha256(json.dumps(header).encode())
    for section in sections.values():
        digest.update(section)
    return digest.hexdigest()


def _padded(part: bytes, filler: bytes) -> bytes:
    """Pad to a multiple of four bytes, because typed arrays in the browser must be aligned."""
    return part + filler * (-len(part) % 4)
