"""Pictures as addresses, so that a page or a component needs no second request for them."""

from __future__ import annotations

import base64
import io

from PIL import Image

from ..errors import ArgumentError
from ..errors.arguments import typed

KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp", b"<svg": "svg+xml"}


@typed
def text(data: bytes) -> str:
    """Bytes as text, base64."""
    return base64.b64encode(data).decode()


@typed
def png(image: Image.Image) -> bytes:
    """A picture as the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@typed
def data_url(picture: bytes | Image.Image) -> str:
    """The address that is a picture itself: PNG, JPEG, WebP or SVG as it is, an image as PNG.

    Raises:
        ArgumentError: if the bytes are of another kind.
    """
    data = png(picture) if isinstance(picture, Image.Image) else picture
    for start, kind in KINDS.items():
        if data.startswith(start):
            return f"data:image/{kind};base64,{text(data)}"
    raise ArgumentError("Only a PNG, a JPEG, a WebP or an SVG has an address here; give one of these.")
