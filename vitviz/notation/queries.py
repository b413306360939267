"""Notation of a query: a token as in `vitviz.notation.marks`, or the patches of a region, whose mean row is the query.

| notation        | meaning                                                            |
| --------------- | ------------------------------------------------------------------ |
| `7-9`, `cls`    | one token                                                          |
| `2..4-3..6`     | all patches of rows 2 to 4 and columns 3 to 6                      |
| `2-3..6,5-1`    | patches of row 2, columns 3 to 6, and the patch in row 5, column 1 |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import ArgumentError
from ..errors.arguments import array, checked_index, each_of_kind, typed
from ..trace.trace import Trace
from .marks import format_token, parse_token

Query = int | tuple[int, ...]  # a token index, or the ascending indices of several patches

_PART = re.compile(r"([0-9]{1,4})(?:\.\.([0-9]{1,4}))?-([0-9]{1,4})(?:\.\.([0-9]{1,4}))?")


@typed
def parse_query(text: str, trace: Trace) -> Query:
    """Parse a query and return the index of its token, prefix tokens first, or the ascending indices of its patches.

    Raises:
        ValueError: if the trace does not have these tokens; the message lists the accepted values.
    """
    if "," not in text and ".." not in text:
        return parse_token(text, trace)
    inside = np.zeros(trace.grid, bool)
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            return parse_token(text, trace)  # raises
        spans = [_span(*found.group(first, first + 1)) for first in (1, 3)]
        if any(not 1 <= first <= last <= side for (first, last), side in zip(spans, trace.grid, strict=True)):
            raise ValueError(_expected(trace))
        (top, bottom), (left, right) = spans
        inside[top - 1 : bottom, left - 1 : right] = True
    return as_query((trace.prefix + np.flatnonzero(inside)).tolist())


def _span(first: str, last: str | None) -> tuple[int, int]:
    return int(first), int(last or first)


def _expected(trace: Trace) -> str:
    rows, columns = trace.grid
    return f"patches from 1-1 to {rows}-{columns}, such as 1..{rows}-1..{columns} or 1-1,{rows}-{columns}"


@typed
def format_query(query: Query, trace: Trace) -> str:
    """Format a query as text for `parse_query`.

    Raises:
        IndexError: if an index is out of range.
        ArgumentError: if several tokens are not all patches.
    """
    if not isinstance(query, tuple | list):
        return format_token(query, trace)
    return ",".join(
        f"{_format_span(top, bottom)}-{_format_span(left, right)}"
        for top, bottom, left, right in rectangles(places(query, trace))
    )


def _format_span(first: int, last: int) -> str:
    return f"{first + 1}" if first == last else f"{first + 1}..{last + 1}"


@typed
def places(query: Query, trace: Trace) -> np.ndarray:
    """Return the patches of a query, bool [row, column].

    Raises:
        IndexError: if an index is out of range.
        ArgumentError: if several tokens are not all patches.
    """
    inside, several = np.zeros(trace.token_count, bool), isinstance(query, tuple | list)
    inside[[checked_index(token, trace.token_count, "token") for token in (query if several else [query])]] = True
    if several and not inside.any():
        raise ArgumentError("The query is empty; give at least one token.")
    if several and inside[: trace.prefix].any():
        raise ArgumentError("Only patches can be combined to a query; leave out the prefix tokens.")
    return inside[trace.prefix :].reshape(trace.grid)


@typed
def rectangles(inside: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    """Split patches into rectangles: runs of a row, joined with equal runs of the rows below.

    Args:
        inside: the patches, bool [row, column].

    Returns:
        First and last row, and first and last column of each rectangle, from 0, by first row and first column.

    Raises:
        ArgumentError: if the patches are not an array with two axes.
    """
    inside = array(inside, "row, column", "The patches").astype(bool)
    found, growing = [], {}  # run -> its rectangle, which may continue in the next row
    for row, line in enumerate(inside):
        edges = np.flatnonzero(np.diff(line.astype(np.int8), prepend=0, append=0)).tolist()
        runs = [(left, right - 1) for left, right in zip(edges[::2], edges[1::2], strict=True)]
        new = {run: [row, row, *run] for run in runs if run not in growing}
        found += new.values()
        growing = {run: growing[run] if run in growing else new[run] for run in runs}
        for rectangle in growing.values():
            rectangle[1] = row
    return map(tuple, found)


@typed
def as_query(tokens: Sequence[int]) -> Query:
    """Return tokens as a query: in order, without repetition, and a single one as its index.

    Raises:
        ArgumentError: if there are no tokens.
    """
    each_of_kind(tokens, int, "tokens")
    if not tokens:
        raise ArgumentError("The query is empty; give at least one token.")
    ordered = tuple(sorted(set(tokens)))
    return ordered if len(ordered) > 1 else ordered[0]


@typed
def central_token(query: Query, trace: Trace) -> int:
    """Return the token that stands for a query where only one can be shown.

    Of several patches, it is the one nearest to the mean of their places, of equal distances the first.

    Raises:
        IndexError: if an index is out of range.
        ArgumentError: if several tokens are not all patches.
    """
    if not isinstance(query, tuple):
        return checked_index(query, trace.token_count, "token")
    at = np.argwhere(places(query, trace))
    row, column = at[np.square(at - at.mean(axis=0)).sum(axis=1).argmin()]
    return int(trace.prefix + row * trace.grid[1] + column)


@typed
def region_label(query: tuple[int, ...], trace: Trace) -> str:
    """Return the label of several patches: `"mean of patches (3 to 5, 4 to 9)"`; rows and columns count from 1.

    Patches that are not a rectangle are counted: `"mean of 7 patches in (3 to 5, 4 to 9)"`.
    """
    inside = places(query, trace)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    ends = ((rows[0], rows[-1]), (columns[0], columns[-1]))
    around = ", ".join(f"{first + 1}" if first == last else f"{first + 1} to {last + 1}" for first, last in ends)
    is_full = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return f"mean of patches ({around})" if is_full else f"mean of {len(query)} patches in ({around})"
