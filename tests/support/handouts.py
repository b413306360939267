"""Handouts, as tests make and read them."""

from collections import defaultdict
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from vitviz.ui.pages.lesson.handout import ClassSet, Run, handout
from vitviz.viz.explorer.payload import as_jpeg
from vitviz.walkthrough.steps import block_by_hand, readout_by_hand
from vitviz.walkthrough.worksheet import worksheets

VOID = {"meta", "img", "path", "rect", "br"}


def run_of(trace, token: int | None = None, **changes) -> Run:
    """The second layer's last head, from a token (by default the last patch) to the first token."""
    rows, columns = trace.grid
    pixels = np.random.default_rng(0).integers(0, 255, (8 * rows, 8 * columns, 3), dtype=np.uint8)
    named = {"image": "noise.png", "model": "a model", "fit": "crop", "address": "image=noise&model=a"} | changes
    return Run(
        picture=as_jpeg(Image.fromarray(pixels)),
        trace=trace,
        block=block_by_hand(trace, 1, trace.heads - 1, trace.token_count - 1 if token is None else token, 0),
        output=readout_by_hand(trace).checks["output"],
        **named,
    )


def made(trace, token: int | None = None, **changes) -> "Read":
    return Read(handout(run_of(trace, token, **changes)))


def class_set(trace, count: int = 1, **changes) -> ClassSet:
    """Worksheets on the last head of the second layer, from the last patch on."""
    named = {"image": "noise.png", "model": "a model", "address": "image=noise&model=a", "page": ""} | changes
    sheets = worksheets(trace, 1, trace.heads - 1, trace.grid[0] * trace.grid[1] - 1, count)
    return ClassSet(picture=run_of(trace).picture, trace=trace, sheets=sheets, **named)


def as_number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").replace(" %", "e-2"))


class Read(HTMLParser):
    """A handout, read back: its words, the symbols in them, its tables, its tags and their attributes.

    `sheets` are the sheets of worksheets: the texts of their fields by name.
    """

    def __init__(self, document: str):
        super().__init__()
        self.open, self.tags, self.attributes, self.symbols = [], set(), [], set()
        self.tables, self.table, self.words, self.style = defaultdict(list), None, [], ""
        self.sheets, self.field = [], None
        self.feed(document)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        named = dict(attrs)
        self.table = named.get("data-table", self.table)
        if "data-sheet" in named:
            self.sheets.append({})
        if "data-field" in named:
            self.field = named["data-field"]
            self.sheets[-1][self.field] = ""
        self.symbols |= {named["data-symbol"]} if "data-symbol" in named else set()
        if tag == "tr":
            self.tables[self.table].append([])
        if tag in ("td", "th"):
            self.tables[self.table][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "span":
            self.field = None
        if tag == "section":
            self.words.append(" ")

    def handle_data(self, data):
        if "style" in self.open:
            self.style += data
            return
        self.words.append(data)
        if self.field:
            self.sheets[-1][self.field] += data
        if "td" in self.open or "th" in self.open:
            self.tables[self.table][-1][-1] += data
