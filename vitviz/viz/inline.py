"""Images as data URLs, so that a page or a component needs no second request."""

from __future__ import annotations

import base64
import io

from PIL import Image

from ..errors import ArgumentError
from ..errors.arguments import typed

KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp", b"<svg": "svg+xml"}


@typed
def text(data: bytes) -> str:
    """Encode bytes as base64 text."""
    return base64.b64encode(data).decode()


@typed
def png(image: Image.Image) -> bytes:
    """Encode an image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@typed
def data_url(picture: bytes | Image.Image) -> str:
    """Return a data URL of an image.

    Args:
        picture: bytes of a PNG, JPEG, WebP or SVG file, used unchanged; or an image, which is encoded as PNG.

    Raises:
        ArgumentError: if the bytes have another format.
    """
    data = png(picture) if isinstance(picture, Image.Image) else picture
    for start, kind in KINDS.items():
        if data.startswith(start):
            return f"data:image/{kind};base64,{text(data)}"
    raise ArgumentError("Unknown image format; give a PNG, JPEG, WebP or SVG file.")
