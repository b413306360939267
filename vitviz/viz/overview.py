"""Overview of the attention of all heads for one image, as a picture."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from ..errors.arguments import checked_index, typed, whole
from ..notation.marks import format_token
from ..notation.view import default_token, token_phrase
from ..trace.trace import Trace
from .colour import on_neutral, overlay, tone
from .export import captioned
from .picture import input_picture

_GAP, _MARGIN = 2, 30  # pixels, between maps and for the numbers of layers and heads
_BACKGROUND, _INK = "white", "#1d1a26"


@typed
def attention_overview(trace: Trace, query: int | None = None, side: int = 64) -> Image.Image:
    """Draw the attention of one token in every head: a map for each head, a row for each layer.

    Each map has its own scale, from 0 to its largest weight. Layers and heads are numbered from 1.

    Args:
        trace: trace of the image.
        query: index of the token that attends; by default the class token, or else the patch in the middle.
        side: longer side of a map in pixels.

    Returns:
        RGB image, with the input of the model on the left.
    """
    query = default_token(trace) if query is None else checked_index(query, trace.token_count, "token")
    side = whole(side, 8, 512, "The side of a map")
    picture = input_picture(trace)
    factor = side / max(picture.size)
    width, height = (max(1, round(length * factor)) for length in picture.size)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    large_side = 3 * side
    left = large_side + 2 * _MARGIN
    page_width = left + trace.heads * (width + _GAP)
    page_height = _MARGIN + max(trace.layers * (height + _GAP), large_side)
    page = Image.new("RGB", (page_width, page_height), _BACKGROUND)
    large = picture.resize([max(1, round(3 * length * factor)) for length in picture.size], Image.Resampling.BICUBIC)
    page.paste(large, (_MARGIN // 2, _MARGIN))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for head in range(trace.heads):
        draw.text((left + head * (width + _GAP) + width / 2, _MARGIN / 2), str(head + 1), _INK, font, "mm")
    for layer in range(trace.layers):
        top = _MARGIN + layer * (height + _GAP)
        draw.text((left - _MARGIN / 2, top + height / 2), str(layer + 1), _INK, font, "mm")
        rows = trace.attention(layer, query=query)  # head key
        for head, row in enumerate(rows[:, trace.prefix :].reshape(-1, *trace.grid)):
            signed = trace.config.differential
            tones = tone(row, "relative", trace.token_count, signed=signed)
            page.paste(overlay(small, tones, "relative", signed=signed), (left + head * (width + _GAP), top))
    return page


@typed
def overview_png(trace: Trace, about: dict, query: int | None = None, side: int = 64) -> bytes:
    """Return `attention_overview` with colour bar and caption as a PNG file.

    Args:
        trace: trace of the image.
        about: metadata, JSON-serialisable; written into the file and, as `name: value`, into the caption.
        query: as in `attention_overview`.
        side: as in `attention_overview`.
    """
    token = default_token(trace) if query is None else query
    written = ", ".join(f"{name}: {value}" for name, value in about.items())
    text = (
        f"Attention from {token_phrase(trace, token)}, layers in rows, heads in columns, counted from 1. Colour: each "
        f"map relative to its max, 0 to 100 %. {written}. vitviz."
    )
    colours = on_neutral("relative", signed=trace.config.differential)
    details = {**about, "token": format_token(token, trace), "counted_from": 1}
    return captioned(attention_overview(trace, query, side), text, details, colours)
