"""Worksheets and answer keys of a class, to print: one sheet of tasks and one of answers for each pupil."""

from __future__ import annotations

import html
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .....notation.marks import format_patch, percent
from .....notation.view import token_label
from .....trace.trace import Trace
from .....viz.colour import overlay, tone
from .....viz.explorer.payload import as_jpeg
from .....viz.inline import data_url
from .....walkthrough.worksheet import DotProduct, HeadOrder, Prediction, Worksheet
from ....widgets.qr import qr_svg
from ....widgets.strips import number
from . import paper

LETTERS = "ABCD"
PICTURE, MAP = 420, 240  # longer side of the image and of a map, pixels
LINE = "          "  # room to write

STYLE = """
body { font-size: 9.5pt; line-height: 1.3; }
h1 { font-size: 14pt; }
h2 { font-size: 10.5pt; margin-bottom: 0.6mm; }
small, figcaption, .note, code, thead th { font-size: 8pt; }
.sheet > section { margin-top: 3mm; break-inside: avoid; }
.sheet > section p { line-height: 1.5; } /* room to write */
.sheet > section .note { line-height: 1.3; }
.start { display: grid; grid-template-columns: 38mm minmax(0, 1fr); gap: 6mm; }
.start .photo { --tall: 38mm; }
.blank { display: inline-block; width: var(--width); height: 4.6mm; border-bottom: 0.3mm solid #55505f;
  vertical-align: baseline; }
.answer { font-weight: 700; text-decoration: underline; text-underline-offset: 0.8mm; }
.maps { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 4mm; }
.maps .photo { --tall: 30mm; }
.maps figcaption { text-align: center; }
.dot { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 8mm; align-items: start; }
.products { width: auto; }
.products th, .products td { padding: 0.3mm 4mm 0.3mm 0; }
.options { display: flex; flex-wrap: wrap; gap: 1mm 9mm; margin: 0; padding: 0; list-style: none; }
.look { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 6mm; }
.look img { width: 27mm; }
.look p + p, .look ul + p { margin-top: 1.5mm; }
.overview th, .overview td { padding: 0.6mm 2.5mm 0.6mm 0; font-size: 9pt; }
@media screen and (max-width: 640px) {
  .start, .dot { grid-template-columns: minmax(0, 1fr); }
  .maps { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
"""

Field = Callable[[str, str], str]  # returns a blank, or the answer, from the name of the field and the answer


@dataclass(frozen=True, eq=False)
class ClassSet:
    """Worksheets about one image and one model.

    Attributes:
        image: name of the image; any text.
        model: title of the model.
        address: query parameters that reopen the view, without the patch; empty if links do not contain the image.
        page: address of the page Attention for the phones of the class; empty if they cannot open it.
        picture: image, with the aspect ratio of the model input.
        trace: the forward pass.
        sheets: the worksheets.
        until: date and time at which the address stops opening the image; empty if it does not.
    """

    image: str
    model: str
    address: str
    page: str
    picture: bytes
    trace: Trace
    sheets: tuple[Worksheet, ...]
    until: str = ""

    def link(self, sheet: Worksheet) -> str:
        """Return the query parameters that open the patch of a worksheet; empty if there are none."""
        return self.address and f"?{self.address}&query={format_patch(*sheet.place)}"


def worksheets_html(made: ClassSet) -> str:
    """Return the worksheets as one self-contained HTML file without scripts; each prints on one sheet."""
    pictures = _Pictures(made)
    body = "".join(_sheet(made, sheet, pictures, _blank, "Worksheet") for sheet in made.sheets)
    return paper.page(f"Worksheet: {made.image}", body, STYLE)


def answers_html(made: ClassSet) -> str:
    """Return the answers to the worksheets, one sheet each, after a table of all answers if there are several."""
    pictures = _Pictures(made)
    overview = paper.sheet(_overview(made), overview="") if len(made.sheets) > 1 else ""
    body = "".join(_sheet(made, sheet, pictures, _answer, "Answers to worksheet") for sheet in made.sheets)
    return paper.page(f"Answers: {made.image}", overview + body, STYLE)


def _blank(name: str, answer: str) -> str:
    """Return a blank, long enough for the answer in handwriting."""
    width = min(45, 8 + 3 * len(answer))
    return f'<span class="blank" data-field="{name}" style="--width:{width}mm"></span>'


def _answer(name: str, answer: str) -> str:
    return f'<span class="answer" data-field="{name}">{html.escape(answer)}</span>'


class _Pictures:
    """The image in the sizes of the worksheets, decoded once."""

    def __init__(self, made: ClassSet):
        self.trace, picture = made.trace, Image.open(io.BytesIO(made.picture)).convert("RGB")
        self.image, self.small = (_at_most(picture, side) for side in (PICTURE, MAP))
        self.jpeg = as_jpeg(self.image)

    def attention(self, weights: np.ndarray) -> bytes:
        """Return a map of attention weights, [patch], over the image, as JPEG."""
        signed = self.trace.config.differential
        tones = tone(weights, "relative", self.trace.token_count, signed=signed).reshape(self.trace.grid)
        return as_jpeg(_at_most(overlay(self.small, tones, "relative", signed=signed), MAP))


def _at_most(picture: Image.Image, side: int) -> Image.Image:
    factor = min(1.0, side / max(picture.size))
    return picture.resize([max(1, round(length * factor)) for length in picture.size], Image.Resampling.LANCZOS)


def _sheet(made: ClassSet, sheet: Worksheet, pictures: _Pictures, field: Field, title: str) -> str:
    """Return one worksheet, with blanks or with answers."""
    answers = field is _answer
    parts = [_start(made, sheet, pictures, field)]
    if _has_other_size(made.trace, sheet):
        parts.append(_other_size(sheet, field, answers))
    parts.append(_dot_product(made.trace, sheet.dot, field, answers))
    if sheet.heads is not None:
        parts.append(_heads(made.trace, sheet, sheet.heads, pictures, field, answers))
    if sheet.prediction is not None:
        code = qr_svg(made.page + made.link(sheet)) if made.page and made.address and not answers else None
        parts.append(_prediction(made.trace, sheet.prediction, field, code))
    numbered = "".join(part.replace("<h2>", f"<h2>{place} · ", 1) for place, part in enumerate(parts, start=1))
    return paper.sheet(f"{_head(made, sheet, title, answers)}{numbered}", sheet=str(sheet.number))


def _head(made: ClassSet, sheet: Worksheet, title: str, answers: bool) -> str:
    place = f" {sheet.number}" if len(made.sheets) > 1 or answers else ""
    who = "" if answers else '<p class="who"><span>Name:</span><span>Date:</span></p>'
    address = ""
    if made.address and not answers:
        end = f" (until <span data-given=until>{html.escape(made.until)}</span>)" if made.until else ""
        address = f" Open this patch in vitviz{end}: <code>{html.escape(made.link(sheet))}</code>"
    head = f"layer {sheet.dot.layer + 1}, head {sheet.dot.head + 1}"
    return (
        f"<header><h1>{html.escape(f'{title}{place}: {made.image}')}</h1>{who}"
        f"<p>{html.escape(made.model)}, {head}. Everything counts from 1.{address}</p></header>"
    )


def _start(made: ClassSet, sheet: Worksheet, pictures: _Pictures, field: Field) -> str:
    """Return the task to count patches, beside the image."""
    sizes, (row, column) = sheet.sizes, sheet.place
    alt = f"{made.image} in {sizes.grid[0]} × {sizes.grid[1]} patches; one is framed"
    drawn = paper.framed_image(pictures.jpeg, sizes.grid, [("query", sheet.place)], alt)
    names = made.trace.config.prefix_token_names
    front = f", plus {len(names)} before them ({_in_words(names)})" if names else ""
    side = f"{sizes.patch} × {sizes.patch} pixels"
    stem = made.trace.config.stem
    split = (
        f". A CNN turns the image into a feature map of one position per {side}."
        if stem
        else f" and splits them into patches of {side}."
    )
    lines = [
        f"The model receives {sizes.width} × {sizes.height} pixels with {sizes.channels} "
        f"channel{'s' * (sizes.channels > 1)}{split}",
        f"Rows of patches: {field('rows', str(sizes.grid[0]))}, patches in a row: "
        f"{field('columns', str(sizes.grid[1]))}, patches in all: N = {field('patches', f'{sizes.patches:,}')}",
        f"Tokens, one for each patch{front}: {field('tokens', f'{sizes.tokens:,}')}",
        *([] if stem else [f"Numbers in one patch: {field('patch_dim', f'{sizes.patch_dim:,}')}"]),
        f"Your patch (framed) is in row {row + 1}, column {column + 1}. Its number, counted row by row: "
        f"{field('number', f'{sheet.patch + 1:,}')}",
    ]
    text = "".join(f"<p>{line}</p>" for line in lines)
    return paper.section("Count", f'<div class="start"><div>{drawn}</div><div>{text}</div></div>')


def _in_words(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]}"


def _has_other_size(trace: Trace, sheet: Worksheet) -> bool:
    """Return True if there is a task about another patch size; a convolutional network allows no other."""
    return sheet.other is not None and not trace.config.stem


def _other_size(sheet: Worksheet, field: Field, answers: bool) -> str:
    """Return the task to count patches of another size."""
    now, other = sheet.sizes, sheet.other
    ratio = number(other.attention_weights / now.attention_weights, 2)
    worked = (
        f"<p class=note>{other.grid[0]} × {other.grid[1]} = {other.patches:,}; {other.tokens:,}² = "
        f"{other.attention_weights:,}; {now.tokens:,}² = {now.attention_weights:,}.</p>"
        if answers
        else ""
    )
    return paper.section(
        "Another patch size",
        f"<p>With patches of {other.patch} × {other.patch} pixels: N = {field('other_patches', f'{other.patches:,}')} "
        f"Tokens: {field('other_tokens', f'{other.tokens:,}')} Attention weights of one head, tokens²: "
        f"{field('other_weights', f'{other.attention_weights:,}')} That is {field('ratio', ratio)} times as many as "
        f"with {now.patch} × {now.patch}.</p>",
        worked,
    )


def _dot_product(trace: Trace, task: DotProduct, field: Field, answers: bool) -> str:
    """Return the task to complete a dot product."""
    decimals = task.decimals
    rows = [
        [
            f"{channel + 1}",
            number(q, decimals),
            number(k, decimals),
            field(f"product_{channel + 1}", number(product, decimals)),
        ]
        for channel, q, k, product in zip(task.channels, task.q, task.k, task.products, strict=True)
    ]
    others = task.length - len(task.channels)
    half = " This head uses differential attention; here is the first of its two scores." if task.is_half else ""
    bias = "" if task.bias is None else f", plus the position bias {number(task.bias, decimals)}"
    root = f"√{task.length} = {math.sqrt(task.length):.2f}"
    score = f"{field('score', number(task.score, 1))}"
    note = f"The model's own score: {number(task.model, 3)}. Rounding may change the last digit."
    checked = f"<p class=note>{note}</p>" if answers else ""
    given = f"Sum of the other {others} products: <b data-given=rest>{number(task.rest, decimals)}</b>"
    lines = [
        *([given] if others else []),
        f"Sum of all products: {field('sum', number(task.total, decimals))}",
        f"Divided by {root}{bias}: score = {score}",
    ]
    table = paper.table(("dimension", "q", "k", "q × k"), rows, kind="products", name="products")
    return paper.section(
        "Score",
        paper.paragraph(
            f"Query {{q}} of your patch, key {{k}} of {token_label(trace, task.key)}: multiply, add, divide.{half}"
        ),
        f'<div class="dot">{table}<div>{"".join(f"<p>{line}</p>" for line in lines)}{checked}</div></div>',
    )


def _heads(trace: Trace, sheet: Worksheet, task: HeadOrder, pictures: _Pictures, field: Field, answers: bool) -> str:
    """Return the task to order heads by attention distance."""
    figures = []
    for letter, (layer, head), weights, distance, mean in zip(
        LETTERS, task.heads, task.weights, task.distances, task.means, strict=False
    ):
        where = f"layer {layer + 1}, head {head + 1}"
        drawn = paper.framed_image(
            pictures.attention(weights), trace.grid, [("query", sheet.place)], f"{letter}: attention in {where}"
        )
        measured = f"<br>{distance:.1f} px; mean of all patches {mean:.1f} px" if answers else ""
        figures.append(f"<figure>{drawn}<figcaption><b>{letter}</b> {where}{measured}</figcaption></figure>")
    letters = [LETTERS[place] for place in task.order]
    colours = "blue weights are negative, red ones positive" if trace.config.differential else "bright patches get most"
    by = "the absolute value of attention" if trace.config.differential else "attention"
    blanks = " &lt; ".join(field(f"order_{place + 1}", letter) for place, letter in enumerate(letters))
    return paper.section(
        "Near and far",
        f"<p>Attention of your patch in some heads; {colours}. The attention distance is the mean distance of the "
        f"patches that it attends to, weighted by {by}. Order the heads from the smallest to the largest."
        "</p>",
        f'<div class="maps">{"".join(figures)}</div>',
        f"<p>{blanks}</p>",
    )


def _prediction(trace: Trace, task: Prediction, field: Field, code: bytes | None) -> str:
    """Return the task to predict the largest attention weight, and to observe it, with a QR code of the page."""
    answers = field is _answer
    shown = [
        f"<li><b>{letter}</b> {html.escape(token_label(trace, token))}{f': {percent(weight)}' if answers else ''}</li>"
        for letter, token, weight in zip(LETTERS, task.options, task.weights, strict=False)
    ]
    best = f"{LETTERS[task.answer]}"
    guess = "" if answers else f"<p>My prediction: {_blank('guess', best)} because {_blank('because', 12 * LINE)}</p>"
    seen = "" if code is None else f'<img alt="QR code of this patch on the page Attention" src="{data_url(code)}">'
    question = f"In layer {task.layer + 1}, head {task.head + 1}: to which of these does your patch attend most?"
    observed = (
        f"Observed on the page Attention: {field('strongest', best)} with a weight of "
        f"{field('weight', percent(task.weights[task.answer]))}"
    )
    options = f'<ul class="options">{"".join(shown)}</ul>'
    return paper.section(
        "Predict, then look",
        f'<div class="look"><div><p>{question}</p>{options}{guess}<p>{observed}</p></div>{seen}</div>',
    )


def _overview(made: ClassSet) -> str:
    """Return a table of the answers to all worksheets."""
    stem = made.trace.config.stem
    other = () if stem else ("other P", "N", "tokens²")
    head = ("sheet", "patch", "number", *other, "sum", "score", "near to far", "largest weight")
    rows = [[html.escape(cell) for cell in _summary(sheet, stem)] for sheet in made.sheets]
    sizes = made.sheets[0].sizes
    numbers = "" if stem else f", {sizes.patch_dim:,} numbers in one patch"
    same = (
        f"The same on all sheets: {sizes.grid[0]} rows of {sizes.grid[1]} patches, N = {sizes.patches:,}, "
        f"{sizes.tokens:,} tokens{numbers}."
    )
    table = paper.table(head, rows, kind="overview", name="overview")
    return f"<header><h1>{html.escape(f'Answers: {made.image}')}</h1><p>{same}</p></header>{table}"


def _summary(sheet: Worksheet, stem: bool) -> Iterator[str]:
    """Yield the cells of a worksheet in the overview, without another patch size for a model with a stem."""
    row, column = sheet.place
    yield f"{sheet.number}"
    yield f"({row + 1}, {column + 1})"
    yield f"{sheet.patch + 1:,}"
    if not stem:
        other = sheet.other
        yield from (
            ("", "", "") if other is None else (f"{other.patch}", f"{other.patches:,}", f"{other.attention_weights:,}")
        )
    yield number(sheet.dot.total, sheet.dot.decimals)
    yield number(sheet.dot.score, 1)
    yield "" if sheet.heads is None else " < ".join(LETTERS[place] for place in sheet.heads.order)
    task = sheet.prediction
    yield "" if task is None else f"{LETTERS[task.answer]}, {percent(task.weights[task.answer])}"
