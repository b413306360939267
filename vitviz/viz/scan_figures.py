"""Plotly charts of a scan: map of its images, confusion matrix, and distributions of all heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ..errors import ArgumentError
from ..errors.arguments import array, each_of_kind, typed
from ..notation.marks import percent
from .colour import ATTENTION, NEUTRAL

# Okabe and Ito 2008, "Color Universal Design", without black, with a darker yellow and three more.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"),
    *("#d55e00", "#b8a800", "#8c6bb1", "#a6761d", "#4d7d7a"),
)
MOST_GROUPS = len(COLOURS)  # names with a colour of their own
OTHERS = "others"
RIGHT, WRONG, UNKNOWN = "correct", "wrong", "without label"
MOST_NUMBERS = 15  # classes of a confusion matrix with numbers in its cells
HEIGHT = 520  # pixels of the map
CELL = 0.84  # share of a cell of the board that a distribution may fill


@typed
def scatter_map(
    xy: np.ndarray, groups: Sequence[str] | None, values: np.ndarray | None, titles: Sequence[str], unit: str = ""
) -> go.Figure:
    """Draw images as points, with WebGL.

    Args:
        xy: coordinates, [point, 2].
        groups: group of each point, for its colour; the largest groups have a colour of their own. None for numbers.
        values: numbers for the colour, [point], NaN for none; used without groups.
        titles: text of each point while the pointer is on it.
        unit: title of the colour bar.
    """
    xy = array(xy, "point, axis", "Coordinates", finite=False)
    each_of_kind(titles, str, "titles")
    each_of_kind(groups or (), str, "groups")
    if groups is None and values is None:
        raise ArgumentError("There is nothing to colour the points by; give groups or values.")
    given = len(groups) if groups is not None else len(array(values, "point", "Values", finite=False))
    if xy.shape != (given, 2) or len(titles) != given:
        raise ArgumentError(f"{len(xy)} points need two coordinates, a title and a group or value each; give as many.")
    figure = go.Figure()
    point = np.arange(len(xy))
    shown = np.array(titles, object)
    size = 4 if len(xy) > 3000 else 6

    def add(mask: np.ndarray, name: str, marker: dict) -> None:
        figure.add_scattergl(
            x=xy[mask, 0],
            y=xy[mask, 1],
            customdata=point[mask],
            text=shown[mask],
            mode="markers",
            name=name,
            marker={"size": size, "opacity": 0.8, **marker},
            hovertemplate="%{text}<extra></extra>",
        )

    if groups is not None:
        named = np.array(groups, object)
        for name, colour in group_colours(groups).items():
            mask = named == name if name != OTHERS else ~np.isin(named, list(group_colours(groups))[:-1])
            add(mask, name, {"color": colour})
    else:
        values = np.asarray(values, np.float32)
        known = np.isfinite(values)
        bar = {"title": {"text": unit}, "thickness": 10, "outlinewidth": 0}
        add(known, "", {"color": values[known], "colorscale": "Viridis", "showscale": True, "colorbar": bar})
        if not known.all():
            add(~known, "no value", {"color": NEUTRAL})
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False)
    return figure.update_layout(
        height=HEIGHT,
        dragmode="lasso",
        showlegend=groups is not None,
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0, "itemsizing": "constant"},
        margin={"l": 5, "r": 5, "t": 40, "b": 5},
        hoverlabel={"namelength": 0},
        uirevision="map",
    )


@typed
def group_colours(groups: Sequence[str]) -> dict[str, str]:
    """Return a colour for each of the largest groups, sorted by name, and grey for all others together."""
    each_of_kind(groups, str, "groups")
    fixed = {RIGHT: COLOURS[0], WRONG: COLOURS[5], UNKNOWN: NEUTRAL}
    names, counts = np.unique(np.array(groups, object).astype(str), return_counts=True)
    if set(names) <= set(fixed):
        return {name: fixed[name] for name in fixed if name in names}
    largest = sorted(names[np.argsort(-counts, kind="stable")[:MOST_GROUPS]])
    rest = {OTHERS: NEUTRAL} if len(names) > MOST_GROUPS else {}
    return dict(zip(map(str, largest), COLOURS, strict=False)) | rest


@typed
def confusion_matrix(labels: Sequence[str], counts: np.ndarray) -> go.Figure:
    """Draw a confusion matrix, whose cells can be clicked.

    The colour of a cell is its share of the images with that label, so that rare labels are visible.

    Args:
        labels: names of the rows (labels) and columns (predictions).
        counts: number of images, [label, prediction].
    """
    counts = array(counts, "label, prediction", "Counts", empty=True)
    each_of_kind(labels, str, "labels")
    count = len(labels)
    if counts.shape != (count, count):
        raise ArgumentError(f"{count} labels need {count} × {count} counts; give as many.")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    places = list(range(count))
    figure = go.Figure()
    figure.add_heatmap(
        z=100 * shares,
        x=places,
        y=places,
        zmin=0,
        zmax=100,
        colorscale=[[0, "rgba(128, 128, 128, 0.08)"], [0.02, "rgba(142, 68, 173, 0.3)"], [1, ATTENTION]],
        colorbar={"title": {"text": "% of the label"}, "thickness": 10, "outlinewidth": 0},
        hoverinfo="skip",
        text=[[f"{n:,}" if n and count <= MOST_NUMBERS else "" for n in row] for row in counts.tolist()],
        texttemplate="%{text}",
        xgap=1,
        ygap=1,
    )
    rows, columns = np.divmod(np.arange(count * count), max(1, count))
    texts = [
        f"{labels[row]} → {labels[column]}<br>{counts[row, column]:,} images, {percent(float(shares[row, column]))}"
        for row, column in zip(rows, columns, strict=True)
    ]
    figure.add_scatter(
        x=columns,
        y=rows,
        customdata=np.arange(count * count),
        hovertext=texts,
        mode="markers",
        marker={"symbol": "square", "size": max(6, min(30, 420 // max(1, count))), "color": "rgba(0, 0, 0, 0)"},
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    ticks = {"tickmode": "array", "tickvals": places, "ticktext": list(labels), "showgrid": False, "zeroline": False}
    figure.update_xaxes(title="prediction", range=[-0.5, count - 0.5], tickangle=-45, **ticks)
    figure.update_yaxes(title="label", range=[count - 0.5, -0.5], **ticks)
    return figure.update_layout(
        height=max(320, min(760, 130 + 24 * count)),
        dragmode=False,
        clickmode="event+select",
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hoverlabel={"namelength": 0},
    )


@typed
def head_board(counts: np.ndarray, edges: np.ndarray, chosen: tuple[int, int] | None, unit: str) -> go.Figure:
    """Draw the distribution of a statistic of every head: layers in rows, heads in columns, one scale for all.

    Args:
        counts: images by bin, [layer, head, bin].
        edges: edges of the bins, [layer, head, bin + 1].
        chosen: layer and head that are marked, from 0; None for none.
        unit: unit of the statistic.
    """
    counts, edges = array(counts, "layer, head, bin", "Counts"), array(edges, "layer, head, edge", "Edges")
    layers, heads = counts.shape[:2]
    if edges.shape != (*counts.shape[:2], counts.shape[2] + 1):
        raise ArgumentError("Each bin has two edges; give one edge more than bins for each head.")
    low, high = float(edges.min()), float(edges.max())
    xs: dict[bool, list] = {False: [], True: []}
    ys: dict[bool, list] = {False: [], True: []}
    grid = np.linspace(low, high, 61)
    texts = []
    for layer in range(layers):
        for head in range(heads):
            of_head, bounds = counts[layer, head], edges[layer, head]
            middles = (bounds[1:] + bounds[:-1]) / 2
            shape, _ = np.histogram(middles, grid, weights=of_head)
            shape = shape / max(1, shape.max())
            across = head + CELL * (np.linspace(0, 1, len(shape)) - 0.5)
            is_chosen = chosen == (layer, head)
            xs[is_chosen] += [across[0], *across, across[-1], None]
            ys[is_chosen] += [layer + CELL / 2, *(layer + CELL * (0.5 - shape)), layer + CELL / 2, None]
            total = max(1, of_head.sum())
            mean = float((middles * of_head).sum() / total)
            texts.append(f"layer {layer + 1}, head {head + 1}<br>mean {mean:.3g} {unit}")
    figure = go.Figure()
    for is_chosen, colour in ((False, NEUTRAL), (True, ATTENTION)):
        figure.add_scatter(
            x=xs[is_chosen],
            y=ys[is_chosen],
            mode="lines",
            fill="toself",
            line={"width": 1, "color": colour},
            hoverinfo="skip",
            showlegend=False,
        )
    rows, columns = np.divmod(np.arange(layers * heads), heads)
    figure.add_scatter(
        x=columns,
        y=rows,
        customdata=np.arange(layers * heads),
        text=texts,
        mode="markers",
        marker={"symbol": "square", "size": 24, "color": "rgba(0, 0, 0, 0)"},
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(
        title="head",
        tickmode="array",
        tickvals=list(range(heads)),
        ticktext=[str(head + 1) for head in range(heads)],
        range=[-0.55, heads - 0.45],
        showgrid=False,
        zeroline=False,
        side="top",
    )
    figure.update_yaxes(
        title="layer",
        tickmode="array",
        tickvals=list(range(layers)),
        ticktext=[str(layer + 1) for layer in range(layers)],
        range=[layers - 0.45, -0.55],
        showgrid=False,
        zeroline=False,
    )
    return figure.update_layout(
        height=70 + 38 * layers,
        dragmode=False,
        clickmode="event+select",
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hoverlabel={"namelength": 0},
    )
