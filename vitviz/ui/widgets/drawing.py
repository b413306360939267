"""HTML figures for the explanation pages: labelled strips, maps, marks on the image, tables."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from ...notation.marks import percent
from ...viz.colour import ATTENTION, NEUTRAL, paint, tone
from ...viz.inline import data_url
from . import symbols
from .strips import number, strip

PHOTO = 560  # pixels on the longer side of an image for `on_image`, which is sent with every run

MANY = 8  # columns of a table, above which they are closer

STYLE = f"""<style>
.vv-strips {{ display: grid; grid-template-columns: 10.5rem minmax(0, 1fr); gap: 0.35rem 0.8rem;
  align-items: center; font-size: 0.9rem; margin: 0; }}
.vv-strips img {{ display: block; width: 100%; image-rendering: pixelated; border-radius: 3px; }}
.vv-strips small, .vv-maps small, .vv-note {{ font-size: 0.78rem; opacity: 0.75; }}
.vv-maps {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--side, 6.2rem), 1fr)); gap: 0.8rem; }}
.vv-maps figure {{ margin: 0; font-size: 0.85rem; line-height: 1.35; }}
.vv-maps img {{ display: block; width: 100%; image-rendering: pixelated; border-radius: 4px; }}
.vv-maps .chosen img {{ outline: 2px solid {ATTENTION}; outline-offset: 2px; }}
.vv-photo {{ position: relative; margin: 0; max-width: 30rem; overflow: hidden; border-radius: 6px; }}
.vv-photo img {{ display: block; width: 100%; }}
.vv-photo img + img {{ position: absolute; inset: 0; height: 100%; }}
.vv-scroll {{ overflow-x: auto; }}
.vv-table {{ border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }}
.vv-table th {{ font-weight: 500; opacity: 0.7; text-align: left; vertical-align: bottom; }}
.vv-table th, .vv-table td {{ padding: 0.3rem 0.9rem 0.3rem 0; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, {NEUTRAL} 30%, transparent); }}
.vv-table th {{ white-space: normal; min-width: 3.2rem; }}
.vv-many {{ font-size: 0.82rem; }}
.vv-many th, .vv-many td {{ padding-right: 0.4rem; min-width: 0; }}
.vv-table small {{ opacity: 0.75; white-space: normal; }}
.vv-table tr.total td {{ font-weight: 600; border-bottom: 0; }}
.vv-bar {{ display: inline-block; vertical-align: middle; height: 0.6rem; width: 6rem; border-radius: 0.2rem;
  margin-right: 0.6rem;
  background: linear-gradient({ATTENTION}, {ATTENTION}) 0 / var(--share) 100% no-repeat,
    color-mix(in srgb, {NEUTRAL} 22%, transparent); }}
.vv-swatch {{ display: inline-block; vertical-align: -0.2rem; width: 1.1rem; height: 1.1rem; border-radius: 0.3rem;
  margin-right: 0.5rem; border: 1px solid color-mix(in srgb, {NEUTRAL} 50%, transparent); }}
.vv-parts {{ display: flex; height: 1.4rem; border-radius: 0.3rem; overflow: hidden; margin: 0.2rem 0; }}
.vv-parts i {{ min-width: 2px; }}
.vv-key {{ display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 0.2rem; margin-right: 0.35rem; }}
.vv-running summary {{ cursor: pointer; font-size: 0.9rem; padding: 0.3rem 0; }}
.vv-running .vv-term {{ display: grid; grid-template-columns: 6.4rem minmax(0, 1fr) minmax(0, 1fr); gap: 0.3rem 0.8rem;
  align-items: center; font-size: 0.85rem; margin-top: 0.35rem; }}
.vv-running .vv-term > span {{ position: relative; }}
.vv-running img {{ display: block; width: 100%; height: 1.1rem; image-rendering: pixelated; border-radius: 3px; }}
.vv-running img + img {{ position: absolute; inset: 0; opacity: 0; }}
.vv-running small {{ font-size: 0.78rem; opacity: 0.75; }}
@media (prefers-reduced-motion: no-preference) {{
  .vv-running[open] .vv-term {{ animation: vv-appear 0.5s both; animation-delay: calc(var(--at) * 1.2s); }}
  .vv-running[open] .vv-term img + img {{ animation: vv-weigh 0.7s both;
    animation-delay: calc(var(--at) * 1.2s + 0.4s); }}
  .vv-running[open] .vv-term > :last-child {{ animation: vv-appear 0.5s both;
    animation-delay: calc(var(--at) * 1.2s + 0.8s); }}
}}
@keyframes vv-appear {{ from {{ opacity: 0; transform: translateY(-0.4rem); }} }}
@keyframes vv-weigh {{ from {{ opacity: 1; }} }}
.vv-stream {{ position: relative; display: grid; padding-bottom: 3.2rem; }}
.vv-stream > span {{ display: grid; grid-template-columns: 5.2rem minmax(0, 1fr); gap: 0 0.6rem; align-items: center;
  font-size: 0.72rem; line-height: 1; }}
.vv-stream img {{ display: block; width: 100%; height: 0.8rem; image-rendering: pixelated; }}
.vv-stream b {{ font-weight: 400; opacity: 0.75; white-space: nowrap; }}
.vv-stream small, .vv-stream i {{ position: absolute; left: 0; right: 0; bottom: 0; height: 2.9rem; font-style: normal;
  font-size: 0.85rem; line-height: 1.4; }}
.vv-stream small {{ display: none; }}
.vv-stream > span:hover small {{ display: block; }}
.vv-stream > span:hover b {{ font-weight: 700; opacity: 1; }}
.vv-stream > span:hover img {{ outline: 2px solid {ATTENTION}; }}
.vv-stream:has(span:hover) i, .vv-stream:focus-visible i {{ display: none; }}
.vv-stream:focus-visible {{ outline: 2px solid {ATTENTION}; outline-offset: 4px; padding-bottom: 0; }}
.vv-stream:focus-visible small {{ display: block; position: static; height: auto; grid-column: 2; }}
.vv-legend {{ display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; font-size: 0.85rem; }}
@media (max-width: 640px) {{
  .vv-bar {{ width: 2.2rem; margin-right: 0.4rem; }}
  .vv-table {{ font-size: 0.82rem; }}
  .vv-table th, .vv-table td {{ padding-right: 0.5rem; }}
  .vv-strips {{ grid-template-columns: 1fr; gap: 0.1rem; }}
  .vv-strips > :nth-child(even) {{ margin-bottom: 0.4rem; }}
}}
</style>"""


def strips(
    rows: Sequence[tuple[str, np.ndarray, str]], *, together: bool = False, per_row: int | None = None, tall: str = ""
) -> str:
    """Return labelled strips with their scales, as HTML; a common scale is stated once, below the strips.

    Blue is negative and red positive, which a page states once.

    Args:
        rows: label (with symbols as in `symbols.html`), numbers and description of each vector.
        together: whether all strips have a common scale.
        per_row: numbers per row; all if None.
        tall: height of one row, in CSS.
    """
    largest = max(float(np.abs(vector).max()) for _, vector, _ in rows) if together else None
    drawn = []
    for label, vector, description in rows:
        end = float(np.abs(vector).max()) if largest is None else largest
        image = strip(vector, largest=end, per_row=per_row)
        scale = f"{len(vector):,} numbers, ±{number(end, 3)}"
        about, alt = html.escape(description), html.escape(description if together else f"{description}, {scale}")
        height = f"calc({image.height} * {tall or '1.3rem'})"
        below = "" if together else f"<small>{scale}</small>"
        drawn.append(
            f'<span>{symbols.html(label)} <small>{about}</small></span><span><img alt="{alt}" '
            f'src="{data_url(image)}" style="height:{height}">{below}</span>'
        )
    if together:
        drawn.append(f"<span></span><small>One scale: {scale}</small>")
    return f'<div class="vv-strips">{"".join(drawn)}</div>'


def running_sum(terms: Sequence[tuple[str, np.ndarray, np.ndarray]], summary: str) -> str:
    """Return vectors, each times its weight, and their running sum, as HTML that opens on click.

    The terms appear one after another, and each vector fades to its weighted form; all at once if the user prefers
    reduced motion. Weighted terms and sums have one scale; each vector before its weight has its own.

    Args:
        terms: label, vector and weighted vector of each term; the vector itself if it has no weight.
        summary: text to click.
    """
    sums = np.cumsum([weighted for _, _, weighted in terms], axis=0)
    largest = max(float(np.abs(one).max()) for one in (*sums, *(weighted for _, _, weighted in terms)))
    rows = []
    for place, ((label, vector, weighted), total) in enumerate(zip(terms, sums, strict=True)):
        own = float(np.abs(vector).max())
        before = "" if vector is weighted else f'<img alt="" src="{data_url(strip(vector, largest=own))}">'
        rows.append(
            f'<div class="vv-term" style="--at:{place}"><span>{html.escape(label)}</span>'
            f'<span><img alt="{html.escape(label)}" src="{data_url(strip(weighted, largest=largest))}">{before}</span>'
            f'<span><img alt="sum of {place + 1} terms" src="{data_url(strip(total, largest=largest))}"></span></div>'
        )
    head = '<div class="vv-term"><span></span><small>weight × value</small><small>sum so far</small></div>'
    return (
        f'<details class="vv-running"><summary>{html.escape(summary)}</summary>{head}{"".join(rows)}'
        f"<small>Weighted terms and sums share one scale: ±{number(largest, 3)}</small></details>"
    )


def stream(rows: Sequence[tuple[str, np.ndarray, str]], largest: float, label: str) -> str:
    """Return vectors below each other on one scale, as HTML.

    Pointing at a vector shows its description; the keyboard focus shows all descriptions.

    Args:
        rows: label, numbers and description of each vector.
        largest: absolute value with full colour.
        label: accessible name.
    """
    drawn = "".join(
        f"<span><b>{html.escape(name)}</b>"
        f'<img alt="{html.escape(about)}" src="{data_url(strip(vector, largest=largest))}">'
        f'<small aria-hidden="true">{html.escape(about)}</small></span>'
        for name, vector, about in rows
    )
    return (
        f'<div class="vv-stream" role="group" tabindex="0" aria-label="{html.escape(label)}">{drawn}'
        '<i aria-hidden="true">Point at a row.</i></div>'
    )


def heat(values: np.ndarray, *, signed: bool = False, largest: float | None = None, over: bool = False) -> Image.Image:
    """Draw a map with one pixel per patch, relative to max. The image is RGBA for `over`, else RGB."""
    return Image.fromarray(paint(tone(values, "relative", 1, largest, signed), "relative", signed, over=over))


def maps(
    drawn: Sequence[tuple[str, np.ndarray]],
    *,
    signed: bool = False,
    chosen: int | None = None,
    side: str = "6.2rem",
    format: Callable[[float], str] = percent,
    largest: float | None = None,
) -> str:
    """Return maps side by side, each with its name and the range of its colours, as HTML.

    Args:
        drawn: name and values of each map.
        signed: whether values may be negative.
        chosen: index of the framed map.
        side: minimum width of a map, in CSS.
        format: formatter of the ends of the colours.
        largest: absolute value with full colour in all maps; by default, the largest of each map.
    """
    figures = []
    for place, (name, values) in enumerate(drawn):
        top = float(np.abs(values).max())
        end = top if largest is None else largest
        scale = f"{format(-end)} to {format(end)}" if signed else f"0 to {format(end)}"
        scale += " and above" if format(top) != format(end) and top > end else ""
        figures.append(
            f'<figure{" class=chosen" if place == chosen else ""}><img alt="{html.escape(name)}, {scale}" '
            f'src="{data_url(heat(values, signed=signed, largest=end))}">{html.escape(name)}<br>'
            f"<small>{scale}</small></figure>"
        )
    return f'<div class="vv-maps" style="--side:{side}">{"".join(figures)}</div>'


def on_image(picture: bytes, size: tuple[int, int], shapes: Sequence[str], alt: str) -> str:
    """Return the image with SVG shapes on it, in pixels of the model input, as HTML."""
    width, height = size
    drawn = (  # as a separate image, because Streamlit removes SVG elements from HTML
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'preserveAspectRatio="none">{"".join(shapes)}</svg>'
    )
    return (
        f'<figure class="vv-photo" style="aspect-ratio:{width}/{height}"><img alt="{html.escape(alt)}" '
        f'style="height:100%" src="{data_url(picture)}"><img alt="" '
        f'src="{data_url(drawn.encode())}"></figure>'
    )


def frame(patch: tuple[int, int], side: int, colour: str, stroke: float) -> str:
    """Return the frame of a patch (row, column), as SVG for `on_image`."""
    row, column = patch
    return (
        f'<rect x="{column * side}" y="{row * side}" width="{side}" height="{side}" fill="none" stroke="{colour}" '
        f'stroke-width="{stroke}"/>'
    )


def centre(patch: tuple[int, int], side: int) -> tuple[float, float]:
    """Return the centre (x, y) of a patch (row, column)."""
    return (patch[1] + 0.5) * side, (patch[0] + 0.5) * side


def table(head: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str] | None = None) -> str:
    """Return a table, optionally with a total as its last row. Cells are HTML."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if total:
        body += f'<tr class="total">{"".join(f"<td>{cell}</td>" for cell in total)}</tr>'
    names = "".join(f"<th>{cell}</th>" if cell else "<td></td>" for cell in head)
    many = " vv-many" if len(head) > MANY else ""
    return f'<div class="vv-scroll"><table class="vv-table{many}"><tr>{names}</tr>{body}</table></div>'


def bar(share: float, label: str) -> str:
    """Return a bar for a share from 0 to 1, followed by a label, as HTML."""
    return f'<span class="vv-bar" style="--share:{100 * min(max(share, 0), 1):.2f}%"></span>{label}'


def swatch(colour: Sequence[float]) -> str:
    """Return a swatch of an RGB colour (0 to 255), as HTML."""
    red, green, blue = (round(float(part)) for part in colour)
    return f'<span class="vv-swatch" style="background:rgb({red},{green},{blue})"></span>'


def parts(shares: Sequence[tuple[str, float, str]]) -> str:
    """Return a stacked bar with a legend, as HTML. Each part has a name, a share and a colour."""
    bars = "".join(f'<i style="flex:{max(share, 0):.6f};background:{colour}"></i>' for _, share, colour in shares)
    legend = "".join(
        f'<span><span class="vv-key" style="background:{colour}"></span>{html.escape(name)} '
        f"<b>{percent(share)}</b></span>"
        for name, share, colour in shares
    )
    return f'<div class="vv-parts">{bars}</div><div class="vv-legend">{legend}</div>'
