"""Map over the image with its colour scale, as HTML. The style holds the image once for all maps."""

from __future__ import annotations

import html

import numpy as np

from ....analysis.attribution import METHODS, Attribution
from ....viz.colour import GREY_LEVEL, KEY, css_gradient
from ....viz.inline import data_url
from ...widgets.drawing import heat

PHOTO = 400  # pixels of the longer side; maps are small in the grid and can be enlarged

_RULES = """
[class*="st-key-explain_row"] [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); gap: 1.2rem 1rem;
}
[class*="st-key-explain_row"] [data-testid="stColumn"] { width: auto; min-width: 0; }
[class*="st-key-explain_row"] [data-testid="stColumn"] > [data-testid="stVerticalBlock"] { height: 100%; }
[class*="st-key-explain_enlarge"] { margin-top: auto; } /* aligned, however long the captions above are */
.vv-map { margin: 0; font-size: 0.8rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
.vv-map .photo { display: block; position: relative; border-radius: 6px; }
.vv-map .photo img { display: block; width: 100%; height: 100%; border-radius: inherit; image-rendering: pixelated; }
.vv-map .scale { display: grid; grid-template-columns: auto 1fr auto; gap: 0.4rem; align-items: center; }
.vv-map .scale { margin: 0.4rem 0 0.2rem; }
.vv-map .scale i { height: 0.5rem; border-radius: 0.25rem; }
.vv-map small { display: block; font-size: 0.75rem; opacity: 0.75; }
"""


def style(image: bytes, opacity: float) -> str:
    """Return the style of all maps over this image; it matches `vitviz.viz.colour.overlay`.

    With opacity 1 the maps lie on grey, where their colours are exactly those of the scale.
    """
    scales = "".join(
        f".vv-map .{name} {{ background: {css_gradient('relative', signed, opacity)}; }}"
        for name, signed in (("plain", False), ("signed", True))
    )
    beneath = f'url("{data_url(image)}")' if opacity < 1 else "none"
    over = (
        f".vv-map .photo {{ background: rgb({GREY_LEVEL} {GREY_LEVEL} {GREY_LEVEL}) {beneath} 0 / 100% 100%; }} "
        f".vv-map .photo img {{ opacity: {opacity}; }}"
    )
    # outside of the patch, so that it stays visible
    frame = f".vv-map .strongest {{ position: absolute; box-shadow: 0 0 0 1px #fff, 0 0 0 3px {KEY}, 0 0 0 4px #fff; }}"
    return f"<style>{_RULES}{scales} {over} {frame}</style>"


def figure(result: Attribution, largest: float | None = None, coarse: bool = False, mark: bool = False) -> str:
    """Return a map over the image with its scale and captions.

    Args:
        result: the map.
        largest: end of the colour scale; the map's own largest value if None.
        coarse: whether the map is a preview of a finer one; its caption says so.
        mark: whether to frame the strongest patch.
    """
    rows, columns = result.map.shape
    low, high = ends(result, largest)
    title = METHODS[result.method].title
    about, kind = captions(result), "coarse" if coarse else "explanation"
    about = ["coarse, not the final map", *about] if coarse else about
    row, column = result.strongest
    about = [*about, f"strongest: patch ({row + 1}, {column + 1})"] if mark else about
    place = f"left:{100 * column / columns:g}%;top:{100 * row / rows:g}%"
    frame = f'<i class="strongest" style="{place};width:{100 / columns:g}%;height:{100 / rows:g}%"></i>' if mark else ""
    alt = html.escape(f"{title}: {', '.join(about)}; from {low} to {high}", quote=True)
    notes = "".join(f"<small>{html.escape(line)}</small>" for line in (*about, f"took {seconds(result.seconds)}"))
    return (
        f'<figure class="vv-map" data-testid="{kind}" data-method="{result.method}" data-low="{low}" '
        f'data-high="{high}">'
        f'<span class="photo" style="aspect-ratio:{columns}/{rows}"><img alt="{alt}" '
        f'src="{data_url(heat(result.map, signed=result.signed, largest=largest, over=True))}">{frame}</span>'
        f'<span class="scale"><span>{low}</span><i class="{"signed" if result.signed else "plain"}"></i>'
        f"<span>{high}</span></span>{notes}</figure>"
    )


def ends(result: Attribution, largest: float | None = None) -> tuple[str, str]:
    """Return the labels of both ends of the colour scale."""
    format_value, largest = (
        METHODS[result.method].format,
        float(np.abs(result.map).max()) if largest is None else largest,
    )
    return format_value(-largest) if result.signed else "0", format_value(largest)


def captions(result: Attribution) -> list[str]:
    """Return the captions of a map: unit, target and parameters."""
    target = f"explains: {result.target}" if result.target else "explains no target"
    chosen = METHODS[result.method].parameters_label(result.parameters)
    return [METHODS[result.method].unit, target, *([chosen] if chosen else [])]


def three_digits(value: float) -> str:
    """Format a number with three significant digits: `"−0.0123"`."""
    return f"{value:.3g}".replace("-", "−")


def seconds(value: float) -> str:
    """Format a duration: `"12 ms"` or `"3.4 s"`."""
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms" if value >= 0.001 else "< 1 ms"
