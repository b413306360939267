"""Files to take home: the overlay with its caption burnt in, and the numbers with what they are.

File names and metadata write layers, heads and tokens as links and the command line do: counted from 1 (see
`vitviz.notation.marks`).
"""

import io
import json
import textwrap

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ..errors import ArgumentError
from ..errors.arguments import array, one_of, typed, whole
from ..notation.marks import format_head, format_token, head_in_name, layer_in_name, percent
from ..notation.view import Scale, View, strongest_patch, token_label
from ..trace.trace import Trace
from . import provenance
from .colour import KEY, QUERY, Style, ends, on_neutral, overlay, tone
from .picture import MOST, frame_patch

STYLE = Style()
PICTURES = {"png": "png", "jpeg": "jpg", "webp": "webp"}  # formats, and how their files end
LEAST = 480  # pixels that a caption has room in; in NARROWEST its letters are small
NARROWEST = 200
_QUALITY = {  # fast, because a file must not take longer than the pass that it shows
    "png": {"compress_level": 1},
    "jpeg": {"quality": 90},
    "webp": {"quality": 88, "method": 1},
}
_MOST = {"jpeg": 65_500, "webp": 16_383}  # pixels of a side
SCALE_WORDS = {
    "relative": "relative to max",
    "raw": "weight, 0 to 1",
    "uniform": "weight x tokens (1 = uniform), logarithmic",
}
_NEEDED = ("image", "model", "input", "fit", "layer", "token", "direction", "opacity", "smooth")
SIGNED_SCALE_WORDS: dict[Scale, str] = {
    "relative": "relative to max, signed, 0 in the middle",
    "raw": "signed weight, 0 in the middle",
}


@typed
def metadata(trace: Trace, view: View, image_name: str, model_title: str, fit: str, style: Style = STYLE) -> dict:
    """Description of a picture or array: everything that is needed to make it again.

    Layers, heads, rows and columns count from 1, and a token is called as on the command line: `"cls"`, `"reg1"`, or
    row and column of a patch, `"7-9"`. The attention of a pooling has `"layer": "pool"` and no token, because it asks
    with its own query.
    """
    rows, columns = trace.grid
    return {
        "image": image_name,
        "model": model_title,
        **provenance.of_model(trace.model),
        "input": [columns * trace.config.patch_size, rows * trace.config.patch_size],
        "fit": fit,
        "grid": [rows, columns],
        "prefix": list(trace.config.prefix_token_names),
        "layer": view.attention_layer(trace) if view.is_pool(trace) else view.layer + 1,
        "head": "mean" if view.head is None else view.head + 1,
        "token": None if view.is_pool(trace) else format_token(view.token(trace), trace),
        "counted_from": 1,
        "direction": view.effective_direction(trace),
        "scale": view.scale,
        "opacity": style.opacity / 100,
        "smooth": style.smooth,
    }


@typed
def caption(trace: Trace, view: View, about: dict) -> str:
    """One paragraph that says what the overlay shows; layers, heads, rows and columns count from 1."""
    weights = view.weights(trace)
    top = strongest_patch(trace, weights)
    signed = trace.config.differential
    low, high = ends(weights[trace.prefix :], view.scale, signed)
    sums = "" if not signed or view.is_pool(trace) else f"Rows sum to 1 − λ = {trace.row_sum(view.layer):.2f}. "
    _check_complete(about)
    width, height = about["input"]
    shown = (
        f"{view.label(trace)}: {view.direction_label(trace)}. "
        f"Strongest patch: {token_label(trace, top).removeprefix('patch ')}, {percent(float(weights[top]))}. "
        f"Colour: {(SIGNED_SCALE_WORDS if signed else SCALE_WORDS)[view.scale]}, {low} to {high}. "
        f"Overlay: {100 * about['opacity']:.0f} %{', smooth' if about['smooth'] else ''}. {sums}"
    )
    return (
        f"{_in_font(shown)}"
        f"{about['model']}, {about['image']}, {width} x {height} px ({about['fit']}), counted from 1. vitviz."
    )


@typed
def overlay_png(trace: Trace, view: View, picture: Image.Image, about: dict) -> bytes:
    """The picture with the map on it, the query and the strongest patch framed, and below the colours and the caption.

    Args:
        trace: what is looked at.
        view: which map.
        picture: the photo with the aspect ratio of the model's input, RGB.
        about: `metadata(...)`, also written into the file as JSON under the key `vitviz`.

    Raises:
        ArgumentError: if `about` is not what `metadata` makes.
    """
    _check_complete(about)
    style = Style(round(100 * about["opacity"]), about["smooth"])
    colours = on_neutral(view.scale, about["opacity"], trace.config.differential)
    return captioned_png(overlay_picture(trace, view, picture, style), caption(trace, view, about), about, colours)


@typed
def overlay_picture(trace: Trace, view: View, picture: Image.Image, style: Style = STYLE) -> Image.Image:
    """The picture with the map on it, the query and the strongest patch framed; as in `overlay_png`, no caption."""
    weights = view.weights(trace)
    patches = weights[trace.prefix :]
    signed = trace.config.differential
    tones = tone(patches, view.scale, view.num_keys(trace), signed=signed).reshape(trace.grid)
    image = overlay(picture, tones, view.scale, style.opacity / 100, signed, style.smooth)
    asked = None if view.is_pool(trace) else view.token(trace)
    for token, colour in ((strongest_patch(trace, weights), KEY), (asked, QUERY)):
        if token is not None and token >= trace.prefix:
            frame_patch(image, trace.grid, *divmod(token - trace.prefix, trace.grid[1]), colour)
    return image


@typed
def captioned_png(image: Image.Image, text: str, about: dict, colours: np.ndarray | None = None) -> bytes:
    """A picture with its caption burnt in, as a PNG file; see `captioned`."""
    return captioned(image, text, about, colours)


@typed
def captioned(
    image: Image.Image, text: str, about: dict, colours: np.ndarray | None = None, kind: str = "png", least: int = LEAST
) -> bytes:
    """A picture with its caption burnt in, as a file.

    Args:
        image: RGB.
        text: the caption, also written into the file: of a PNG as the text `Description`, else as EXIF's
            ImageDescription, in UTF-8.
        about: what it shows, also written into the file as JSON: of a PNG as the text `vitviz`, else as EXIF's
            UserComment.
        colours: of the colour bar above the caption, uint8 [n, 3]; no bar if None.
        kind: one of `PICTURES`.
        least: how wide the file is at least, so that a narrow picture has room for its caption; at least 200.

    Raises:
        ArgumentError: if there is no such kind, it cannot hold so large a picture, or `about` holds what JSON cannot.
    """
    one_of(kind, tuple(PICTURES), "kind of picture")
    if colours is not None:
        colours = array(colours, "n, channel", "Colours").astype(np.uint8)
    text = text.encode("utf-8", "backslashreplace").decode()  # not all names of files are text
    page = _captioned(image, _in_font(text), colours, whole(least, NARROWEST, MOST, "The least width"))
    if max(page.size) > _MOST.get(kind, max(page.size)):
        raise ArgumentError(
            f"With its caption the picture is {page.width} x {page.height} pixels, and a side of a {kind} file has at "
            f"most {_MOST[kind]}; choose png, or a smaller picture."
        )
    buffer = io.BytesIO()
    page.save(buffer, kind, **_QUALITY[kind], **_said(text, _as_json(about), kind))
    return buffer.getvalue()


def _said(text: str, about: str, kind: str) -> dict:
    """Caption and settings as Pillow wants them for a format."""
    if kind == "png":
        info = PngInfo()
        info.add_itxt("vitviz", about)
        info.add_itxt("Description", text)
        return {"pnginfo": info}
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = text.encode()
    exif[ExifTags.Base.Software] = "vitviz"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + about.encode("ascii")
    return {"exif": exif}


@typed
def arrays_npz(trace: Trace, view: View, about: dict) -> bytes:
    """The numbers as a NumPy archive.

    Holds `weights` (what the view shows, float32 [token]), `matrix` (the head's weights, float32 [query, key]; [1, key]
    of a pooling) and `metadata` (JSON text). The arrays hold the tokens in order, prefix tokens first.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, weights=view.weights(trace), matrix=view.matrix(trace), metadata=np.array(_as_json(about))
    )
    return buffer.getvalue()


def _as_json(about: dict) -> str:
    try:
        return json.dumps(about)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError("What a file shows is told by words and numbers; this has something else.") from error


def _check_complete(about: dict) -> None:
    missing = [name for name in _NEEDED if name not in about]
    if missing:
        raise ArgumentError(f"What the view shows lacks {', '.join(missing)}; give what `metadata` makes.")


def _in_font(text: str) -> str:
    """The same words without the signs that Pillow's own font lacks."""
    for sign, words in {"×": "x", "≤": "at most", "≥": "at least", "−": "-", "λ": "lambda"}.items():
        text = text.replace(sign, words)
    return text


@typed
def file_stem(view: View, about: dict) -> str:
    """A file name without its ending: `"cat-L12-H4-7-9"`, `"cat-L12-mean-cls"`, `"cat-pool-H3"`; counted from 1.

    Args:
        view: which map.
        about: `metadata(...)` of it.
    """
    _check_complete(about)
    return stem(about["image"], about["layer"], view.head, about["token"], about["direction"] == "to")


@typed
def stem(image: str, layer: int | str, head: int | None, token: str | None, to: bool = False) -> str:
    """The same for a layer from 1, or `"pool"`; a head from 0 as a view has it, and a token as it is written."""
    parts = [
        safe_name(image.rsplit(".", 1)[0]),
        layer_in_name(str(layer)),
        head_in_name(format_head(head)),
        token or "",
        "to" if to and token else "",
    ]
    return "-".join(filter(None, parts))


@typed
def safe_name(text: str, otherwise: str = "image") -> str:
    """Other people's words as a part of a file name: letters, digits and hyphens, at most 40."""
    return "".join(c if c.isalnum() else "-" for c in text)[:40].strip("-") or otherwise


def _captioned(image: Image.Image, text: str, colours: np.ndarray | None, least: int) -> Image.Image:
    """Put colour bar and caption on white below a picture; a narrow picture gets room for the words."""
    width, margin = max(image.width, least), 14
    size = 17 if width >= LEAST else 11
    font = ImageFont.load_default(size)
    lines = textwrap.wrap(text, max(20, int((width - 2 * margin) / font.getlength("n"))))
    top = image.height + margin + (0 if colours is None else 10 + margin)
    page = Image.new("RGB", (width, top + margin + len(lines) * (size + 6)), "white")
    page.paste(image, ((width - image.width) // 2, 0))
    if colours is not None:
        bar = Image.fromarray(np.repeat(colours[None], 10, axis=0)).resize((width - 2 * margin, 10))
        page.paste(bar, (margin, image.height + margin))
    draw = ImageDraw.Draw(page)
    for i, line in enumerate(lines):
        draw.text((margin, top + i * (size + 6)), line, fill="#1d1a26", font=font)
    return page
