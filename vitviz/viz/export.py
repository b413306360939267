"""Files for download: captioned overlays, and arrays with metadata.

File names and metadata count layers, heads and tokens from 1, as links and the command line do (see
`vitviz.notation.marks`).
"""

import hashlib
import io
import json
import textwrap

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ..errors import ArgumentError
from ..errors.arguments import array, one_of, typed, whole
from ..notation.marks import format_head, head_in_name, layer_in_name, percent
from ..notation.queries import format_query, places
from ..notation.view import Scale, View, strongest_patch, token_label
from ..trace.trace import Trace
from . import provenance
from .colour import KEY, QUERY, Style, colour_bar_labels, on_neutral, overlay, tone
from .picture import MAX_SIDE, frame_patches

STYLE = Style()
PICTURES = {"png": "png", "jpeg": "jpg", "webp": "webp"}  # file name extension of each format
DEFAULT_WIDTH = 480  # pixels; narrower images are padded to make room for the caption
MIN_WIDTH = 200  # pixels; below DEFAULT_WIDTH the caption is set in a smaller font
_QUALITY = {  # fast: encoding must not take longer than the forward pass
    "png": {"compress_level": 1},
    "jpeg": {"quality": 90},
    "webp": {"quality": 88, "method": 1},
}
_MAX_SIDES = {"jpeg": 65_500, "webp": 16_383}  # pixels
SCALE_LABELS = {
    "relative": "relative to max",
    "raw": "weight, 0 to 1",
    "uniform": "weight x tokens (1 = uniform), logarithmic",
}
_REQUIRED = ("image", "model", "input", "fit", "layer", "token", "direction", "opacity", "smooth")
SIGNED_SCALE_LABELS: dict[Scale, str] = {
    "relative": "relative to max, signed, 0 in the middle",
    "raw": "signed weight, 0 in the middle",
}


@typed
def metadata(trace: Trace, view: View, image_name: str, model_title: str, fit: str, style: Style = STYLE) -> dict:
    """Return the metadata of an image or array: all settings needed to reproduce it.

    Layers, heads, rows and columns count from 1. A token is written as on the command line: `"cls"`, `"reg1"`, or row
    and column of a patch, `"7-9"`, or of the patches of a region, `"2..4-3..6"`. Attention pooling has
    `"layer": "pool"` and no token, because its query is learned.
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
        "token": None if view.is_pool(trace) else format_query(view.token(trace), trace),
        "counted_from": 1,
        "direction": view.effective_direction(trace),
        "scale": view.scale,
        "opacity": style.opacity / 100,
        "smooth": style.smooth,
    }


@typed
def caption(trace: Trace, view: View, about: dict) -> str:
    """Return the caption of an overlay, one paragraph; layers, heads, rows and columns count from 1."""
    weights = view.weights(trace)
    top = strongest_patch(trace, weights)
    signed = trace.config.differential
    low, high = colour_bar_labels(weights[trace.prefix :], view.scale, signed)
    row_sum = "" if not signed or view.is_pool(trace) else f"Rows sum to 1 − λ = {trace.row_sum(view.layer):.2f}. "
    _check_complete(about)
    width, height = about["input"]
    shown = (
        f"{view.label(trace)}: {view.direction_label(trace)}. "
        f"Strongest patch: {token_label(trace, top).removeprefix('patch ')}, {percent(float(weights[top]))}. "
        f"Colour: {(SIGNED_SCALE_LABELS if signed else SCALE_LABELS)[view.scale]}, {low} to {high}. "
        f"Overlay: {100 * about['opacity']:.0f} %{', smooth' if about['smooth'] else ''}. {row_sum}"
    )
    return (
        f"{_in_font(shown)}"
        f"{about['model']}, {about['image']}, {width} x {height} px ({about['fit']}), counted from 1. vitviz."
    )


@typed
def overlay_png(trace: Trace, view: View, picture: Image.Image, about: dict) -> bytes:
    """Return an overlay with colour bar and caption as a PNG file; query and strongest patch are framed.

    Args:
        trace: trace of the image.
        view: attention map to draw.
        picture: RGB image with the aspect ratio of the model input.
        about: result of `metadata`, also written into the file as JSON under the key `vitviz`.

    Raises:
        ArgumentError: if `about` lacks keys of `metadata`.
    """
    _check_complete(about)
    style = Style(round(100 * about["opacity"]), about["smooth"])
    colours = on_neutral(view.scale, about["opacity"], trace.config.differential)
    return captioned_png(overlay_picture(trace, view, picture, style), caption(trace, view, about), about, colours)


@typed
def overlay_picture(trace: Trace, view: View, picture: Image.Image, style: Style = STYLE) -> Image.Image:
    """Return an overlay without caption as an image; query and strongest patch are framed, as in `overlay_png`."""
    weights = view.weights(trace)
    patches = weights[trace.prefix :]
    signed = trace.config.differential
    tones = tone(patches, view.scale, view.num_keys(trace), signed=signed).reshape(trace.grid)
    image = overlay(picture, tones, view.scale, style.opacity / 100, signed, style.smooth)
    query = None if view.is_pool(trace) else view.token(trace)
    for token, colour in ((strongest_patch(trace, weights), KEY), (query, QUERY)):
        if token is not None:
            frame_patches(image, places(token, trace), colour)
    return image


@typed
def captioned_png(image: Image.Image, text: str, about: dict, colours: np.ndarray | None = None) -> bytes:
    """Return an image with its caption as a PNG file; see `captioned`."""
    return captioned(image, text, about, colours)


@typed
def captioned(
    image: Image.Image,
    text: str,
    about: dict,
    colours: np.ndarray | None = None,
    kind: str = "png",
    min_width: int = DEFAULT_WIDTH,
) -> bytes:
    """Draw a caption below an image and encode the result as a file.

    Args:
        image: RGB image.
        text: caption, also written into the file in UTF-8: as the text chunk `Description` of a PNG, otherwise as
            EXIF ImageDescription.
        about: metadata, written into the file as JSON: as the text chunk `vitviz` of a PNG, otherwise as EXIF
            UserComment.
        colours: colour bar above the caption, uint8 [n, 3]; None for no bar.
        kind: file format, a key of `PICTURES`.
        min_width: minimum width of the file in pixels, at least 200; narrower images are padded.

    Raises:
        ArgumentError: if the format is unknown or limited to smaller images, or `about` is not JSON-serialisable.
    """
    one_of(kind, tuple(PICTURES), "image format")
    if colours is not None:
        colours = array(colours, "n, channel", "Colours").astype(np.uint8)
    text = text.encode("utf-8", "backslashreplace").decode()  # file names may contain surrogates
    page = _captioned(image, _in_font(text), colours, whole(min_width, MIN_WIDTH, MAX_SIDE, "The minimum width"))
    if max(page.size) > _MAX_SIDES.get(kind, max(page.size)):
        raise ArgumentError(
            f"The captioned image has {page.width} x {page.height} pixels, but a {kind} file has at most "
            f"{_MAX_SIDES[kind]} per side; choose png or a smaller image."
        )
    buffer = io.BytesIO()
    page.save(buffer, kind, **_QUALITY[kind], **_metadata_options(text, _as_json(about), kind))
    return buffer.getvalue()


def _metadata_options(text: str, about: str, kind: str) -> dict:
    """Return caption and metadata as options of Pillow's `Image.save` for a format."""
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
    """Return the weights of a view as a NumPy archive.

    The arrays are `weights` (weights shown, float32 [token]), `matrix` (attention matrix of the head, float32
    [query, key]; [1, key] for attention pooling) and `metadata` (JSON text). Prefix tokens come first.
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
        raise ArgumentError(
            "Metadata must be JSON-serialisable; use only text, numbers, lists and dictionaries."
        ) from error


def _check_complete(about: dict) -> None:
    missing = [name for name in _REQUIRED if name not in about]
    if missing:
        raise ArgumentError(f"The metadata lacks {', '.join(missing)}; use the result of `metadata`.")


def _in_font(text: str) -> str:
    """Replace characters that Pillow's default font lacks."""
    for sign, replacement in {"×": "x", "≤": "at most", "≥": "at least", "−": "-", "λ": "lambda"}.items():
        text = text.replace(sign, replacement)
    return text


@typed
def file_stem(view: View, about: dict) -> str:
    """Return a file name without extension: `"cat-L12-H4-7-9"`, `"cat-L12-mean-cls"`, `"cat-pool-H3"`.

    Args:
        view: attention map in the file.
        about: result of `metadata` for the view.
    """
    _check_complete(about)
    token = about["token"] and query_in_name(about["token"])
    return stem(about["image"], about["layer"], view.head, token, about["direction"] == "to")


@typed
def stem(image: str, layer: int | str, head: int | None, token: str | None, to: bool = False) -> str:
    """Return a file name without extension, as `file_stem` does.

    Args:
        image: file name of the image.
        layer: layer from 1, or `"pool"`.
        head: head from 0; None for the mean.
        token: token as written on the command line, or for a region the result of `query_in_name`; None for no token.
        to: True for the attention to the token.
    """
    parts = [
        safe_name(image.rsplit(".", 1)[0]),
        layer_in_name(str(layer)),
        head_in_name(format_head(head)),
        token or "",
        "to" if to and token else "",
    ]
    return "-".join(filter(None, parts))


@typed
def query_in_name(text: str) -> str:
    """Convert a query as written on the command line to a part of a file name; long ones get a digest.

    Examples: `"7-9"`, `"2--4-3--6"`.
    """
    longest = 40
    if len(text) <= longest:
        return safe_name(text)
    return f"{safe_name(text[: longest - 9])}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


@typed
def safe_name(text: str, default: str = "image") -> str:
    """Convert untrusted text to a part of a file name: letters, digits and hyphens, at most 40 characters."""
    return "".join(c if c.isalnum() else "-" for c in text)[:40].strip("-") or default


def _captioned(image: Image.Image, text: str, colours: np.ndarray | None, min_width: int) -> Image.Image:
    """Draw colour bar and caption on white below an image, which is padded to the minimum width."""
    width, margin = max(image.width, min_width), 14
    size = 17 if width >= DEFAULT_WIDTH else 11
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
