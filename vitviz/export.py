"""What a visitor takes home: the overlay with its caption burnt in, and the numbers with what they are."""

import io
import json
import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from . import provenance
from .arguments import array, typed
from .colour import KEY, QUERY, colour_map, ends, overlay, percent, tone
from .errors import ArgumentError
from .trace import Trace
from .view import Scale, View, strongest_patch, token_words

SCALE_WORDS = {
    "share": "share of the strongest patch",
    "raw": "weight, 0 to 1",
    "uniform": "weight x tokens (1 = uniform), logarithmic",
}
SIGNED_SCALE_WORDS: dict[Scale, str] = {
    "share": "signed share of the strongest patch, 0 in the middle",
    "raw": "signed weight, 0 in the middle",
}


@typed
def metadata(trace: Trace, view: View, image_name: str, model_title: str, fit: str) -> dict:
    """What a picture or array shows: everything that is needed to make it again; indices count from 0.

    The attention of a pooling has `"layer": "pool"` and no token, because it asks with its own query.
    """
    rows, columns = trace.grid
    return {
        "image": image_name,
        "model": model_title,
        **provenance.of_model(trace.model),
        "input": [columns * trace.config.patch, rows * trace.config.patch],
        "fit": fit,
        "grid": [rows, columns],
        "prefix": list(trace.config.prefix_names),
        "layer": view.place(trace),
        "head": "mean" if view.head is None else view.head,
        "token": None if view.is_pool(trace) else view.token(trace),
        "counted_from": 0,
        "direction": view.facing(trace),
        "scale": view.scale,
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
        f"{view.words(trace)}: {view.question(trace)}. "
        f"Strongest patch: {token_words(trace, top).removeprefix('patch ')}, {percent(float(weights[top]))}. "
        f"Colour: {(SIGNED_SCALE_WORDS if signed else SCALE_WORDS)[view.scale]}, {low} to {high}. {sums}"
    )
    return (
        f"{_in_font(shown)}"
        f"{about['model']}, {about['image']}, {width} x {height} px ({about['fit']}), counted from 1. vitviz."
    )


@typed
def overlay_png(trace: Trace, view: View, picture: Image.Image, about: dict) -> bytes:
    """The picture with the map on it, the query and the strongest patch framed, and the caption below.

    Args:
        trace: what is looked at.
        view: which map.
        picture: the photo with the aspect ratio of the model's input, RGB.
        about: `metadata(...)`, also written into the file as JSON under the key `vitviz`.
    """
    weights = view.weights(trace)
    patches = weights[trace.prefix :]
    signed = trace.config.differential
    tones = tone(patches, view.scale, view.reads(trace), signed=signed).reshape(trace.grid)
    image = overlay(picture, tones, view.scale, signed=signed)
    draw = ImageDraw.Draw(image)
    asked = None if view.is_pool(trace) else view.token(trace)
    for token, colour in ((strongest_patch(trace, weights), KEY), (asked, QUERY)):
        if token is not None and token >= trace.prefix:
            draw.rectangle(_patch_box(trace, token, image.size), outline=colour, width=3)
    return captioned_png(image, caption(trace, view, about), about, colour_map(view.scale, signed))


@typed
def captioned_png(image: Image.Image, text: str, about: dict, colours: np.ndarray | None = None) -> bytes:
    """A picture with its caption burnt in, as a file.

    Args:
        image: RGB.
        text: the caption, also written into the file as `Description`.
        about: what it shows, also written into the file as JSON under the key `vitviz`.
        colours: of the colour bar above the caption, uint8 [n, 3]; no bar if None.
    """
    if colours is not None:
        colours = array(colours, "n, channel", "Colours").astype(np.uint8)
    text = text.encode("utf-8", "backslashreplace").decode()  # not all names of files are text
    info = PngInfo()
    info.add_itxt("vitviz", _as_json(about))
    info.add_itxt("Description", text)
    buffer = io.BytesIO()
    _captioned(image, _in_font(text), colours).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@typed
def arrays_npz(trace: Trace, view: View, about: dict) -> bytes:
    """The numbers as a NumPy archive.

    Holds `weights` (what the view shows, float32 [token]), `matrix` (the head's weights, float32 [query, key]; [1, key]
    of a pooling) and `metadata` (JSON text). Tokens count from 0, prefix tokens first.
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
    missing = [name for name in ("image", "model", "input", "fit", "layer", "token", "direction") if name not in about]
    if missing:
        raise ArgumentError(f"What the view shows lacks {', '.join(missing)}; give what `metadata` makes.")


def _in_font(text: str) -> str:
    """The same words without the signs that Pillow's own font lacks."""
    for sign, words in {"×": "x", "≤": "at most", "≥": "at least", "−": "-", "λ": "lambda"}.items():
        text = text.replace(sign, words)
    return text


@typed
def file_stem(view: View, about: dict) -> str:
    """A file name without its ending: `"cat-L12-H4-token137"`, `"cat-pool-H3"`."""
    _check_complete(about)
    head = "mean" if view.head is None else f"H{view.head + 1}"
    name = safe_name(about["image"].rsplit(".", 1)[0])
    if about["token"] is None:
        return f"{name}-{about['layer']}-{head}"
    return f"{name}-L{about['layer'] + 1}-{head}-token{about['token']}{'-to' if about['direction'] == 'to' else ''}"


@typed
def safe_name(text: str, otherwise: str = "image") -> str:
    """Other people's words as a part of a file name: letters, digits and hyphens, at most 40."""
    return "".join(c if c.isalnum() else "-" for c in text)[:40].strip("-") or otherwise


def _patch_box(trace: Trace, token: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
    rows, columns = trace.grid
    row, column = divmod(token - trace.prefix, columns)
    width, height = size[0] / columns, size[1] / rows
    return column * width, row * height, (column + 1) * width - 1, (row + 1) * height - 1


def _captioned(image: Image.Image, text: str, colours: np.ndarray | None) -> Image.Image:
    """Put colour bar and caption on white below a picture; a narrow picture gets room for the words."""
    width, margin, size = max(image.width, 480), 14, 17
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
