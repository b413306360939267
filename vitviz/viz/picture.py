"""The photo as people see it: sharper than the model's input, cut and padded exactly like it."""

from PIL import Image, ImageDraw

from ..errors.arguments import checked_grid, one_of, typed, whole
from ..images import Prepared, SafeImage
from .colour import KEY, QUERY

MOST = 16_384  # pixels of a side
_GREY = (128, 128, 128)  # between the pages of both themes


@typed
def sharp_picture(image: SafeImage, prepared: Prepared, longest: int = 960) -> Image.Image:
    """The part of a photo that the model sees, with the original's detail.

    Args:
        image: the original.
        prepared: what `prepare` made of it.
        longest: the longer side of the result in pixels.

    Returns:
        RGB, with the aspect ratio of the model's input; padding is hatched; grey for a model of one channel.
    """
    geometry = prepared.geometry
    factor = whole(longest, 1, MOST, "The longer side") / max(geometry.model)
    picture = prepared.picture().resize([max(1, round(side * factor)) for side in geometry.model])
    left, top, right, bottom = (round(edge * factor) for edge in geometry.content)
    photo = image.rgb.resize((max(1, right - left), max(1, bottom - top)), Image.Resampling.LANCZOS, geometry.source)
    grey = prepared.pixels.shape[-1] == 1  # then colours would show more than the model sees
    picture.paste(photo.convert("L") if grey else photo, (left, top))
    return picture


@typed
def original_with_crop(image: SafeImage, prepared: Prepared, longest: int = 720) -> Image.Image:
    """The whole photo, with what resizing and cropping removed greyed out.

    A line of white and one of black surround what the model sees; they lie on the grey part and cover nothing of it.

    Args:
        image: the original.
        prepared: what `prepare` made of it.
        longest: the longer side of the result in pixels, unless the original is smaller.

    Returns:
        RGB, with the aspect ratio of the original.
    """
    factor = min(1.0, whole(longest, 1, MOST, "The longer side") / max(image.rgb.size))
    photo = image.rgb.resize([max(1, round(side * factor)) for side in image.rgb.size], Image.Resampling.LANCZOS)
    left, top, right, bottom = (round(edge * factor) for edge in prepared.geometry.source)
    seen = photo.crop((left, top, right, bottom))
    result = Image.blend(photo, Image.new("RGB", photo.size, _GREY), 0.65)
    line = max(1, round(max(photo.size) / 400))
    for colour, far in (("black", 2 * line), ("white", line)):
        result.paste(colour, (left - far, top - far, right + far, bottom + far))
    result.paste(seen, (left, top))
    return result


@typed
def frame_patch(picture: Image.Image, grid: tuple[int, int], row: int, column: int, colour: str) -> None:
    """Draw a line along the inner edge of a patch.

    Args:
        picture: what the model sees, changed in place.
        grid: rows and columns of patches.
        row: of the patch, from 0.
        column: of the patch, from 0.
        colour: of the line: `vitviz.viz.colour.KEY` for the strongest patch, `QUERY` for the one that is asked about.

    Raises:
        ArgumentError: if the grid has no such patch, or no patch is framed in this colour.
    """
    rows, columns = checked_grid(grid)
    row, column = whole(row, 0, rows - 1, "The row"), whole(column, 0, columns - 1, "The column")
    one_of(colour, (KEY, QUERY), "colour of a frame")
    width, height = picture.width / columns, picture.height / rows
    box = (column * width, row * height, (column + 1) * width - 1, (row + 1) * height - 1)
    ImageDraw.Draw(picture).rectangle(box, outline=colour, width=3)
