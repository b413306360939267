"""Raw bytes for the browser: `u32 header length | JSON header | sections`, as binary.js reads them."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def packed(header: dict, sections: dict[str, bytes]) -> bytes:
    """A header and raw sections; `key` in the header is the same for the same contents."""
    digest = hashlib.sha256(json.dumps(header).encode())
    for section in sections.values():
        digest.update(section)
    padded = [_padded(section, b"\0") for section in sections.values()]
    starts = np.cumsum([0, *map(len, padded)]).tolist()
    places = {name: [at, len(section)] for (name, section), at in zip(sections.items(), starts, strict=False)}
    text = _padded(json.dumps(header | {"key": digest.hexdigest(), "sections": places}).encode(), b" ")
    return b"".join((len(text).to_bytes(4, "little"), text, *padded))


def header_of(data: bytes) -> dict:
    """The header of what `packed` made."""
    return json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])


def _padded(part: bytes, filler: bytes) -> bytes:
    """Lengthen to a multiple of four bytes: typed arrays in the browser have to begin at one."""
    return part + filler * (-len(part) % 4)
