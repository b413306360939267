"""The photo as people see it: sharper than the model's input, cut and padded exactly like it."""

from PIL import Image

from .images import Prepared, SafeImage


def sharp_picture(image: SafeImage, prepared: Prepared, longest: int = 960) -> Image.Image:
    """The part of a photo that the model sees, with the original's detail.

    Args:
        image: the original.
        prepared: what `prepare` made of it.
        longest: the longer side of the result in pixels.

    Returns:
        RGB, with the aspect ratio of the model's input; padding is hatched.
    """
    geometry = prepared.geometry
    factor = longest / max(geometry.model)
    picture = prepared.picture().resize([max(1, round(side * factor)) for side in geometry.model])
    left, top, right, bottom = (round(edge * factor) for edge in geometry.content)
    photo = image.rgb.resize((max(1, right - left), max(1, bottom - top)), Image.Resampling.LANCZOS, geometry.source)
    picture.paste(photo, (left, top))
    return picture
