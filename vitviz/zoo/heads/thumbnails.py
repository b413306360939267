"""Thumbnails of the images that a head was fitted on: small JPEG files, kept only if the author of the head agrees."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from ...errors import ImageError, ModelError
from ...errors.arguments import of_kind, typed
from ...images import Prepared, as_picture, read_image
from ...images.limits import MIN_SIDE

SIDE = 96  # pixels of the longer side of a new thumbnail
MOST_THUMBNAILS = 1000  # of a head
MOST_BYTES = 100_000  # of a thumbnail
MOST_PIXELS = 512 * 512
_QUALITY = 80


@typed
def thumbnail(image: Prepared) -> bytes:
    """Return a small JPEG file, without metadata, of the part of an image that the model receives."""
    picture = as_picture(image.pixels).convert("RGB")
    scale = min(1.0, SIDE / max(picture.size))
    width, height = (max(MIN_SIDE, round(scale * side)) for side in picture.size)
    file = io.BytesIO()
    picture.resize((width, height), Image.Resampling.LANCZOS).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def checked_thumbnails(thumbnails: object, classes: int) -> tuple[tuple[bytes, ...], ...]:
    """Check the thumbnails of a head and return them; () if there are none.

    Args:
        thumbnails: JPEG files of each class; empty for none.
        classes: number of classes.

    Raises:
        ModelError: if they are not one list for each class, too many or too large, or not JPEG files.
    """
    of_kind(thumbnails, Sequence[object], "thumbnails", ModelError)
    for images in thumbnails:
        of_kind(images, Sequence[bytes], "thumbnails", ModelError)
    if len(thumbnails) not in (0, classes) or sum(map(len, thumbnails)) > MOST_THUMBNAILS:
        raise ModelError(
            f"The thumbnails of a head must be one list for each class, with at most {MOST_THUMBNAILS:,} in all."
        )
    for images in thumbnails:
        for image in images:
            _check(image)
    found = tuple(map(tuple, thumbnails))
    return found if any(found) else ()


def _check(image: object) -> None:
    """Raise a `ModelError` if this is not a small JPEG file that can be decoded."""
    if not isinstance(image, bytes) or len(image) > MOST_BYTES or not image.startswith(b"\xff\xd8\xff"):
        raise _refused()
    try:
        with Image.open(io.BytesIO(image), formats=("JPEG",)) as picture:  # reads the header only
            width, height = picture.size
    except Exception as error:  # Pillow raises errors of many kinds for damaged files
        raise _refused() from error
    if width * height > MOST_PIXELS:
        raise _refused()
    try:
        read_image(image)
    except ImageError as error:
        raise _refused() from error


def _refused() -> ModelError:
    return ModelError(
        f"Thumbnails must be JPEG files of at most {MOST_BYTES:,} bytes and {MOST_PIXELS:,} pixels; make them with "
        "vitviz.zoo.heads.thumbnail."
    )
