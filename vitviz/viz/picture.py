"""Images for display: sharper than the model input, but cropped and padded in the same way."""

import numpy as np
from PIL import Image, ImageDraw

from ..errors.arguments import array, checked_grid, one_of, typed, whole
from ..images import Prepared, SafeImage, as_picture
from ..trace.trace import Trace
from .colour import KEY, QUERY

MAX_SIDE = 16_384  # pixels
LINE = 3  # pixels, width of a frame
_REDUCING_GAP = 1.5  # large photos are first reduced to at least 1.5 times the size, which takes half the time
_GREY = (128, 128, 128)  # contrasts with both themes


@typed
def sharp_picture(image: SafeImage, prepared: Prepared, longest: int = 960) -> Image.Image:
    """Return the part of an image that the model receives, at the original resolution.

    Args:
        image: original image.
        prepared: model input, from `prepare`.
        longest: longer side of the result in pixels.

    Returns:
        RGB image with the aspect ratio of the model input. Padding is hatched. For a model with one input channel,
        the image is grey.
    """
    geometry = prepared.geometry
    factor = whole(longest, 1, MAX_SIDE, "The longer side") / max(geometry.model)
    picture = prepared.picture().resize([max(1, round(side * factor)) for side in geometry.model])
    left, top, right, bottom = (round(edge * factor) for edge in geometry.content)
    size = max(1, right - left), max(1, bottom - top)
    scaled = image.rgb.resize(size, Image.Resampling.LANCZOS, geometry.source, _REDUCING_GAP)
    grey = prepared.pixels.shape[-1] == 1  # colours would show more than the model receives
    picture.paste(scaled.convert("L") if grey else scaled, (left, top))
    return picture


@typed
def middle_square(image: SafeImage, side: int) -> Image.Image:
    """Return the largest square in the middle of an image, resized to `side` x `side` pixels, RGB."""
    width, height = image.rgb.size
    left, top = max(0, width - height) / 2, max(0, height - width) / 2
    box, side = (left, top, width - left, height - top), whole(side, 1, MAX_SIDE, "The side")
    return image.rgb.resize((side, side), Image.Resampling.BICUBIC, box, _REDUCING_GAP)


@typed
def original_with_crop(image: SafeImage, prepared: Prepared, longest: int = 720) -> Image.Image:
    """Return the whole image, with the parts removed by cropping greyed out.

    A white and a black line surround the model's crop. They are drawn on the grey part only.

    Args:
        image: original image.
        prepared: model input, from `prepare`.
        longest: longer side of the result in pixels; smaller originals are not enlarged.

    Returns:
        RGB image with the aspect ratio of the original.
    """
    factor = min(1.0, whole(longest, 1, MAX_SIDE, "The longer side") / max(image.rgb.size))
    scaled = image.rgb.resize([max(1, round(side * factor)) for side in image.rgb.size], Image.Resampling.LANCZOS)
    left, top, right, bottom = (round(edge * factor) for edge in prepared.geometry.source)
    crop = scaled.crop((left, top, right, bottom))
    result = Image.blend(scaled, Image.new("RGB", scaled.size, _GREY), 0.65)
    line = max(1, round(max(scaled.size) / 400))
    for colour, far in (("black", 2 * line), ("white", line)):
        result.paste(colour, (left - far, top - far, right + far, bottom + far))
    result.paste(crop, (left, top))
    return result


@typed
def frame_patch(picture: Image.Image, grid: tuple[int, int], row: int, column: int, colour: str) -> None:
    """Draw a line along the inner edge of a patch.

    Args:
        picture: image of the model input, changed in place.
        grid: rows and columns of patches.
        row: row of the patch, from 0.
        column: column of the patch, from 0.
        colour: line colour: `vitviz.viz.colour.KEY` for the strongest patch, `QUERY` for the query patch.

    Raises:
        ArgumentError: if the patch is outside the grid, or the colour is another one.
    """
    patches = np.zeros(checked_grid(grid), bool)
    rows, columns = patches.shape
    patches[whole(row, 0, rows - 1, "The row"), whole(column, 0, columns - 1, "The column")] = True
    frame_patches(picture, patches, colour)


@typed
def frame_patches(picture: Image.Image, patches: np.ndarray, colour: str) -> None:
    """Draw a line along the inner edge of a set of patches.

    Args:
        picture: image of the model input, changed in place.
        patches: True for the patches of the set, [row, column].
        colour: see `frame_patch`.

    Raises:
        ArgumentError: if the patches are not an array with two axes, or the colour is another one.
    """
    patches = array(patches, "row, column", "The patches").astype(bool)
    one_of(colour, (KEY, QUERY), "colour of a frame")
    rows, columns = patches.shape
    width, height = picture.width / columns, picture.height / rows
    inside, draw = np.pad(patches, 1), ImageDraw.Draw(picture)

    def strip(first: float, last: float, side: int) -> tuple[int, int]:
        first, last = int(first), int(last)
        return {-1: (first, first + LINE - 1), 0: (first, last), 1: (last - LINE + 1, last)}[side]

    for row, column in np.argwhere(patches).tolist():
        for down, right in np.argwhere(~inside[row : row + 3, column : column + 3]).tolist():
            top, bottom = strip(row * height, (row + 1) * height - 1, down - 1)
            left, end = strip(column * width, (column + 1) * width - 1, right - 1)
            draw.rectangle((left, top, end, bottom), fill=colour)


@typed
def input_picture(trace: Trace) -> Image.Image:
    """Return the input of the model as an RGB image; a tensor that was traced is scaled back to 0 to 255."""
    if trace.image is not None:
        return trace.image.picture()
    used = trace.model.preprocessing
    pixels = np.moveaxis(trace.pixels(), 0, -1) * np.float32(used.std) + np.float32(used.mean)
    levels = np.round(255 * pixels.clip(0, 1)).astype(np.uint8)
    return as_picture(levels[..., : 3 if levels.shape[-1] >= 3 else 1])
