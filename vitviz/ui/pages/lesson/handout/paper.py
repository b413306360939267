"""Building blocks of the printed page: style, images with patches, colour scales, strips and tables."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from PIL import Image

from .....viz.colour import ATTENTION, KEY, OPACITY, QUERY, css_gradient
from .....viz.inline import data_url
from ....widgets import symbols
from ....widgets.pictures import enlarged
from ....widgets.strips import number, strip

# A4 less its margins is 190 x 277 mm; the content ends above 259 mm to fit US Letter. `font-size-adjust` scales any
# substitute for Arial so that its digits are half as wide as the font size, and line breaks do not depend on the font.
STYLE = f"""
:root {{ color-scheme: light; }}
@page {{ size: A4; margin: 10mm; }}
* {{ box-sizing: border-box; -webkit-print-color-adjust: exact; print-color-adjust: exact; }}
body {{ max-width: 190mm; margin: 0 auto; background: #fff; color: #1d1a26;
  font: 8.5pt/1.25 Arial, Helvetica, sans-serif; font-size-adjust: ch-width 0.5;
  overflow-wrap: anywhere; }}
h1, h2, p, figure, table {{ margin: 0; }}
h1 {{ font-size: 16pt; line-height: 1.15; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; }}
h2 {{ font-size: 9.5pt; color: {ATTENTION}; margin-bottom: 0.8mm; }}
img {{ display: block; width: 100%; }}
small, figcaption, .note {{ font-size: 7.2pt; line-height: 1.25; color: #55505f; }}
code {{ font-size: 7.2pt; }}
section > * + * {{ margin-top: 1mm; }}
.who {{ display: flex; gap: 6mm; margin: 2.5mm 0 1.5mm; }}
.who span {{ flex: 2; border-bottom: 0.3mm solid #8b8d98; }}
.who span + span {{ flex: 1; }}
.letters {{ display: grid; grid-template-columns: repeat(9, 1fr); margin: 1.2mm 0 2.2mm; padding: 0.8mm 0;
  border: solid #d9d6e0; border-width: 0.3mm 0; text-align: center; font-size: 10pt; }}
.letters small {{ display: block; }}
.page {{ display: grid; grid-template-columns: 54mm minmax(0, 1fr); gap: 2.2mm 6mm; }}
.column {{ display: grid; grid-template-columns: minmax(0, 1fr); gap: 2.2mm; align-content: start; }}
.ends {{ grid-column: 1 / -1; display: grid; grid-template-columns: 1.75fr 1fr; gap: 6mm; }}
.photo {{ position: relative; margin: 0 auto; width: min(100%, calc(var(--tall, 40mm) * var(--shape)));
  aspect-ratio: var(--shape); }}
.photo img {{ height: 100%; }}
.photo svg {{ position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }}
.photo path, .photo rect {{ fill: none; vector-effect: non-scaling-stroke; }}
.photo path {{ stroke: #000; stroke-width: 1px; opacity: 0.2; }}
.photo path + path {{ stroke: #fff; stroke-width: 0.5px; opacity: 0.5; }}
.photo .halo {{ stroke: #fff; stroke-width: 4px; }}
.query {{ stroke: {QUERY}; stroke-width: 2px; }}
.key {{ stroke: {KEY}; stroke-width: 2px; }}
.scale {{ display: flex; align-items: center; gap: 1.5mm; margin-top: 1mm; font-variant-numeric: tabular-nums; }}
.scale i {{ flex: 1; height: 2mm; border-radius: 0.5mm; }}
.patch {{ display: grid; grid-template-columns: 21mm minmax(0, 1fr); gap: 3mm; align-items: start; }}
.patch > :first-child img {{ border: 0.5mm solid {QUERY}; }}
.beside {{ display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 5mm; align-items: start; }}
.beside > div > * + *, .patch > div > * + *, figcaption {{ margin-top: 1.2mm; }}
.strip {{ height: 3mm; border-radius: 0.5mm; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.2mm 2mm 0.2mm 0; text-align: left; border-bottom: 0.2mm solid #e3e0ea; line-height: 1.16; }}
thead th {{ font-weight: 400; color: #55505f; font-size: 7.2pt; }}
tbody th {{ font-weight: 400; }}
.sum {{ width: auto; }}
.sum tr:last-child > * {{ font-weight: 600; border-bottom: 0; }}
td.number {{ text-align: right; white-space: nowrap; }}
th.number {{ text-align: right; }}
.sheet {{ display: block; }}
@media print {{
  /* One sheet, whatever the font: what is too long is cut, and never continued on a second sheet. */
  .sheet {{ max-height: 276mm; overflow: hidden; break-inside: avoid; }}
  .sheet + .sheet {{ break-before: page; }}
}}
.bar {{ display: block; height: 1.8mm; min-width: 14mm; border-radius: 0.4mm;
  background: linear-gradient({ATTENTION}, {ATTENTION}) 0 / var(--share) 100% no-repeat, #e9e6ef; }}
.names th {{ max-width: 0; width: 45%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
@media print {{ .vv-symbol {{ border: 0; }} .vv-symbol::after {{ display: none; }} }}
@media screen {{ body {{ padding: 8mm 5mm; box-sizing: content-box; }} }}
@media screen and (max-width: 640px) {{
  body {{ padding: 5mm 4mm; box-sizing: border-box; font-size: 11pt; font-size-adjust: none; }}
  small, figcaption, .note, code, thead th {{ font-size: 9pt; }}
  h2 {{ font-size: 12pt; }}
  .page, .ends, .beside {{ grid-template-columns: minmax(0, 1fr); }}
  .photo {{ --tall: 110mm; }}
  .letters {{ grid-template-columns: repeat(3, 1fr); gap: 2mm; }}
  .who {{ flex-wrap: wrap; }} .who span {{ flex: 1 1 60mm; }}
  .wide {{ overflow-x: auto; }}
}}
"""


def page(title: str, body: str, style: str = "") -> str:
    """Return a self-contained HTML file without scripts.

    Args:
        title: as plain text.
        body: as HTML.
        style: further style sheet.
    """
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{symbols.style()}'
        f"<style>{STYLE}{style}</style></head>\n<body><main>{body}</main></body></html>\n"
    )


def sheet(body: str, **data: str) -> str:
    """Return a part of the page that prints on one sheet.

    Args:
        body: as HTML.
        **data: data attributes of the element, as plain text.
    """
    attributes = "".join(f' data-{name}="{html.escape(text, quote=True)}"' for name, text in data.items())
    return f'<article class="sheet"{attributes}>{body}</article>\n'


def section(title: str, *parts: str) -> str:
    """Return a section: title as plain text, parts as HTML."""
    return f"<section><h2>{html.escape(title)}</h2>{''.join(parts)}</section>\n"


def paragraph(text: str, values: dict | None = None) -> str:
    """Return a paragraph with symbols, see `symbols.html`."""
    return f"<p>{symbols.html(text, values)}</p>"


def framed_image(picture: bytes, grid: tuple[int, int], frames: Sequence[tuple[str, tuple[int, int]]], alt: str) -> str:
    """Return an image with its patch grid and framed patches.

    Args:
        picture: encoded image (PNG or JPEG) with the aspect ratio of the grid.
        grid: rows and columns of patches.
        frames: `"query"` or `"key"` and the patch as row and column; later ones are drawn on top.
        alt: alternative text.
    """
    rows, columns = grid
    lines = "".join(f"M0 {row}H{columns}" for row in range(rows + 1))
    lines += "".join(f"M{column} 0V{rows}" for column in range(columns + 1))
    framed = "".join(
        f'<rect class="{role}" x="{column}" y="{row}" width="1" height="1"/>'
        for frame, (row, column) in frames
        for role in ("halo", frame)
    )
    return (
        f'<div class="photo" style="--shape:{columns / rows:.5f}"><img alt="{html.escape(alt)}" '
        f'src="{data_url(picture)}"><svg viewBox="0 0 {columns} {rows}" '
        f'preserveAspectRatio="none" aria-hidden="true"><path d="{lines}"/><path d="{lines}"/>{framed}</svg></div>'
    )


def image(drawn: Image.Image, alt: str) -> str:
    """Return a small picture with sharp pixels in print."""
    return f'<img alt="{html.escape(alt)}" src="{data_url(enlarged(drawn))}">'


def vector(numbers: np.ndarray, alt: str) -> str:
    """Return a vector as a strip of colours with its scale."""
    end = float(np.abs(numbers).max())
    scale = f"{number(-end, 2)} (blue) to {number(end, 2)} (red)"
    drawn = data_url(enlarged(strip(numbers), 1200))
    return f'<img class="strip" alt="{html.escape(alt)}, {scale}" src="{drawn}"><small>Colours: {scale}.</small>'


def scale(low: str, high: str, signed: bool) -> str:
    """Return the colour scale of a map with labels at both ends."""
    colours = css_gradient("relative", signed, OPACITY)
    return (
        f'<div class="scale"><span>{html.escape(low)}</span><i style="background:{colours}"></i>'
        f"<span>{html.escape(high)}</span></div>"
    )


def bar(share: float) -> str:
    """Return a share from 0 to 1 as a bar."""
    return f'<span class="bar" style="--share:{100 * min(max(share, 0), 1):.2f}%"></span>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "", name: str = "") -> str:
    """Return a table of HTML cells; all but the first column and bars are right-aligned."""
    cells = [
        f'<th scope="row">{first}</th>'
        + "".join(f"<td{'' if cell.startswith('<') else ' class=number'}>{cell}</td>" for cell in rest)
        for first, *rest in rows
    ]
    names = "".join(
        f'<th scope="col"{" class=number" if place and text else ""}>{text}</th>' for place, text in enumerate(head)
    )
    above = f"<thead><tr>{names}</tr></thead>" if head else ""
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f'<div class="wide"><table class="{kind}" data-table="{name}">{above}<tbody>{body}</tbody></table></div>'
