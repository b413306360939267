"""Settings of the page "Collection"."""

from __future__ import annotations

import re
from typing import Any

from ....notation.marks import join_words, one_of
from ...app import scans
from ...app.settings import Setting

SECTIONS = ("Map", "Confusion", "Heads", "Odd images")
MOST_POSITION = 10**15
ORDERS = {
    "position": "Order of the data set",
    "surest mistakes": "Surest mistakes first",
    "isolation": "Farthest from others first",
    "outliers": "Most outlier tokens first",
    "unusual": "Most unusual heads first",
}


def _scan(text: str, _: Any) -> str:
    names = scans.names()
    if text not in names:
        raise ValueError(join_words(names[:8]) if names else "a scan on this server, of which there are none")
    return text


def _position(text: str, _: Any) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ValueError("a position in the data set, from 0")
    return int(text)


SCAN = Setting(
    "collection_scan",
    lambda _: next(iter(scans.names()), None),
    "scan",
    read=_scan,
    valid=lambda name, _: name in scans.names(),
    always=True,
    write=lambda name, _: name or "",
)
SECTION = Setting(
    "collection_section",
    SECTIONS[0],
    "section",
    read=lambda text, _: one_of(SECTIONS)(text),
    valid=lambda section, _: section in SECTIONS,
)
CHOSEN = Setting(
    "collection_position",
    None,
    "position",
    read=_position,
    valid=lambda position, _: isinstance(position, int) and 0 <= position < MOST_POSITION,
)
# Settings below have one value for each scan, whose digest is their context.
FILTER = Setting("collection_filter", per=lambda digest: digest)
AREA = Setting("collection_area", (), per=lambda digest: digest)
AMONG = Setting("collection_among", None, per=lambda digest: digest)  # images of a selection among some
COLOUR = Setting("collection_colour", "prediction")
PROJECTION = Setting("collection_projection", "pca", valid=lambda method, _: method in ("pca", "tsne"))
ORDER = Setting("collection_order", "position", valid=lambda order, _: order in ORDERS)
PAGE = Setting("collection_page", 1, per=lambda digest: digest)
STATISTIC = Setting("collection_statistic", "entropy")
HEAD = Setting("collection_head", None, per=lambda digest: digest)
OTHER = Setting("collection_other", None, per=lambda digest: digest)  # neighbour that is compared
SETTINGS = (SCAN, SECTION, CHOSEN)
