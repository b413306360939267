"""Map of the images: their features, projected to two dimensions."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from ....analysis.scan.queries.answers import MOST_POINTS, STATISTICS
from ....analysis.scan.queries.index import Index
from ....analysis.scan.queries.scan_run import ScanRun, short
from ....notation.marks import percent
from ....viz import scan_figures
from ...components.hover_thumbnail import Thumbnail, hover_thumbnail
from ...widgets import selections
from ...widgets.charts import draw_chart
from . import filters, image_list, scan_data
from .settings import AMONG, AREA, CHOSEN, COLOUR, PAGE, PROJECTION

METHODS = {"pca": "PCA", "tsne": "t-SNE"}
MOST = {"pca": MOST_POINTS, "tsne": 3000}  # points
LEAST = 4  # images for t-SNE
HELP = "Drag around points to select their images, click one to see it, double-click to select all again."
_HOVERED = "collection_hovered"  # key in the session: the last thumbnail that was asked for
NAMES = {"label": "Label", "prediction": "Prediction", "correct": "Correct or wrong"}


def draw(run: ScanRun, index: Index | None) -> None:
    """Draw the map, and the images of the selection on it."""
    if index is None:
        st.caption("The map appears when the scan was read.")
    else:
        _map(run, index)
    image_list.draw(run, index, filters.current(run))


def _map(run: ScanRun, index: Index) -> None:
    chosen = filters.current(run, area=False)
    colours = _colours(run, index)
    colour = COLOUR.get() if COLOUR.get() in colours else next(iter(colours))
    COLOUR.set(colour)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        COLOUR.draw(st.selectbox, "Colour", list(colours), format_func=colours.get, width=300)
        method = PROJECTION.draw(
            st.segmented_control,
            "Projection",
            list(METHODS),
            required=True,
            format_func=METHODS.get,
            then=partial(_unselect, run),
        )
    found = scan_data.points(run, index, chosen, colour, MOST[method])
    shown = len(found.position)
    sample = f"{shown:,} of {found.of:,} images, evenly spread" if shown < found.of else f"{shown:,} images"
    st.caption(f"{sample}. {_axes(index, method)} {HELP}")
    if not shown:
        st.info("No image passes the filter; widen it.")
        return
    xy = found.xy
    if method == "tsne":
        if shown < LEAST:
            st.info(f"t-SNE needs {LEAST} images; widen the filter.")
            return
        xy = scan_data.neighbourhoods(run, chosen, found.position)
        if xy is None:
            return
    groups, values = None, None
    if colour == "correct":
        words = {True: scan_figures.RIGHT, False: scan_figures.WRONG, None: scan_figures.UNKNOWN}
        groups = [words[one] for one in found.colour.tolist()]
    elif colour in NAMES:
        groups = ["none" if one is None else short(str(one), 40) for one in found.colour.tolist()]
    else:
        values = np.ma.filled(found.colour.astype(np.float32), np.nan)
    unit = STATISTICS.get(colour, ("", ""))[1]
    key = f"collection_map_{run.digest[:16]}_{method}_{colour}"
    draw_chart(
        scan_figures.scatter_map(xy, found.position, groups, values, _titles(found), unit),
        key,
        f"Map of the images, {sample}",
        on_select=partial(_take, run, key, found.position, xy if method == "tsne" else None),
        selection_mode=("points", "box", "lasso"),
        config={
            "displayModeBar": True,
            "displaylogo": False,
            "scrollZoom": True,
            "modeBarButtonsToRemove": ["toImage", "autoScale2d"],
        },
    )
    _thumbnails(run, key)


@st.fragment  # so that the map does not run for each thumbnail
def _thumbnails(run: ScanRun, chart: str) -> None:
    """Show the thumbnail of the point under the pointer."""
    hover_thumbnail(
        chart,
        st.session_state.get(_HOVERED),
        most=run.count - 1,
        on_hover=partial(_hover, run),
        key=f"collection_hover_{run.digest[:16]}",
    )


def _hover(run: ScanRun, position: int) -> None:
    rows = scan_data.images(run, (position,), "thumbnail")
    if rows:
        st.session_state[_HOVERED] = Thumbnail(position, image_list.thumbnail(rows[0]["thumbnail"] or b""))


def _axes(index: Index, method: str) -> str:
    """Describe the axes."""
    if method == "tsne":
        return "t-SNE (scikit-learn) of the features: neighbours stay together, distances between groups mean nothing."
    first, second = (percent(share) for share in index.explained)
    return (
        f"First principal component of the features on the x axis ({first} of the variance), second on the y axis "
        f"({second}), from {index.axes_count:,} images."
    )


def _unselect(run: ScanRun) -> None:
    for setting in (AREA, AMONG, PAGE):
        setting.reset(run.digest)


def _colours(run: ScanRun, index: Index) -> dict[str, str]:
    """Return the columns to colour by, with their names."""
    has = {column: bool(scan_data.names_of(run, index, column)) for column in ("label", "prediction")}
    names = [*(["prediction"] * has["prediction"]), *(["label"] * has["label"])]
    names += ["correct"] * all(has.values())
    numbers = {name: STATISTICS[name][0] for name in scan_data.limits(run, index)}
    return {name: NAMES[name] for name in names} | numbers


def _titles(found: scan_data.Points) -> list[str]:
    """Return a text for each point; markup of a name would be interpreted by plotly."""
    values = found.colour.tolist()
    if values and isinstance(values[0], float):
        texts = ["" if one is None else f"{one:.3g}" for one in values]
    else:
        texts = [plain("" if one is None else str(one)) for one in values]
    return [f"image {at:,}<br>{text}" for at, text in zip(found.position.tolist(), texts, strict=True)]


def plain(text: str) -> str:
    """Return a short text that plotly shows as it is."""
    return short(text, 60).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _take(run: ScanRun, key: str, positions: np.ndarray, xy: np.ndarray | None) -> None:
    """Take over a selection on the map.

    Args:
        run: the scan.
        key: key of the map.
        positions: positions of its images.
        xy: points of a map that has these images only, among which the selection is; None if the index has them.
    """
    area = selections.area(key)
    _unselect(run)
    if area and xy is not None:
        AMONG.set(tuple(positions[selections.inside(xy, area)].tolist()), run.digest)
    elif area:
        AREA.set(area, run.digest)
    position = None if area else selections.clicked(key)
    if position is not None and position < run.count:
        CHOSEN.set(position)
