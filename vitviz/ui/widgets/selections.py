"""Selections in charts, as browsers send them. Anybody can send anything, so all of it is checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import streamlit as st

MOST_CORNERS = 300  # of a lasso; more are thinned out
Area = tuple[tuple[float, float], ...]


def clicked(key: str) -> int | None:
    """Return the number of the point that was clicked in a chart; None if there is none."""
    points = _selection(key).get("points")
    if not isinstance(points, list) or len(points) != 1 or not isinstance(points[0], dict):
        return None
    number = points[0].get("customdata")
    number = number[0] if isinstance(number, list) and len(number) == 1 else number
    return number if type(number) is int and number >= 0 else None


def area(key: str) -> Area:
    """Return the corners of a lasso or box in a chart; () if there is none."""
    chosen = _selection(key)
    for kind in ("lasso", "box"):
        shapes = chosen.get(kind)
        if isinstance(shapes, list) and shapes and isinstance(shapes[-1], dict):
            x, y = _numbers(shapes[-1].get("x")), _numbers(shapes[-1].get("y"))
            if kind == "box" and len(x) == len(y) == 2:
                return ((x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1]))
            if kind == "lasso" and len(x) == len(y) >= 3:
                step = -(-len(x) // MOST_CORNERS)
                return tuple(zip(x[::step], y[::step], strict=True))
    return ()


def inside(points: np.ndarray, corners: Area) -> np.ndarray:
    """Return which points, [point, 2], are inside of a polygon (even-odd rule), bool [point]."""
    x, y = np.asarray(points, float).T
    odd = np.zeros(len(x), bool)
    for at, (x1, y1) in enumerate(corners):
        x2, y2 = corners[at - 1]
        if y1 != y2:
            odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return odd


def _selection(key: str) -> dict[str, Any]:
    state = st.session_state.get(key)
    try:
        chosen = state["selection"]
    except (KeyError, TypeError):
        return {}
    return dict(chosen) if hasattr(chosen, "keys") else {}


def _numbers(values: object) -> list[float]:
    if not isinstance(values, list):
        return []
    is_valid = all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in values)
    return [float(one) for one in values] if is_valid else []
