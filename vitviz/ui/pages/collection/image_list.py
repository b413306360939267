"""Lists of images with their thumbnails, and the chosen image, which opens on the other pages."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st
from PIL import Image

from ....analysis.scan.queries.answers import OF_INDEX, Filter
from ....analysis.scan.queries.index import Index
from ....analysis.scan.queries.scan_run import ScanRun, short
from ....errors import ImageError, ScanError
from ....notation.marks import percent
from ....viz.inline import data_url
from ...app import notices, scan_choice
from ...app.cache import cached
from ...app.messages import escape_markdown
from ...components.explorer.payload import as_jpeg
from ...components.gallery import gallery
from . import scan_data
from .settings import CHOSEN, ORDER, ORDERS, PAGE

COLUMNS, ROWS = 8, 2  # of a page of thumbnails
PAGES = {"explore": "Explore", "explain": "Explain", "intervene": "Intervene", "lens": "Lens"}
OPENS = "collection_opens"  # key in the session: page to open in this run
LARGEST = 96  # pixels of a thumbnail
MOST_BYTES = 200_000  # of a thumbnail


def draw(run: ScanRun, index: Index | None, chosen: Filter) -> None:
    """Draw the images that pass a filter."""
    overview = scan_data.overview(run, index, chosen)
    orders = [name for name in ORDERS if index is not None or name not in OF_INDEX]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = ORDER.get() if ORDER.get() in orders else orders[0]
        ORDER.set(order)
        ORDER.draw(
            st.selectbox, "Images", orders, format_func=ORDERS.get, width=280, then=partial(PAGE.reset, run.digest)
        )
        positions = scan_data.listed(run, index, chosen, order)
        size, pages = COLUMNS * ROWS, max(1, math.ceil(len(positions) / (COLUMNS * ROWS)))
        page = min(max(1, PAGE.get(run.digest)), pages)
        if pages > 1:
            PAGE.set(page, run.digest)
            PAGE.draw(st.number_input, "Page", 1, pages, context=run.digest, width=130)
    shown = positions[(page - 1) * size : page * size].tolist()
    listed = f", the first {len(positions)} of them in this list" if len(positions) < overview.count else ""
    accuracy = "" if overview.accuracy is None else f" Accuracy: {percent(overview.accuracy)}."
    st.caption(f"{overview.count:,} {'image' if overview.count == 1 else 'images'}{listed}.{accuracy}")
    if not shown and overview.count == 0:
        st.info("No image passes the filter; widen it.")
    gallery_of(run, shown, "collection_images", "Images of the scan")


def gallery_of(
    run: ScanRun,
    positions: Sequence[int],
    key: str,
    label: str,
    notes: Sequence[str] | None = None,
    *,
    chosen: int | None = None,
    on_choose: Callable[[int], None] | None = None,
) -> None:
    """Draw thumbnails of images, one of which can be chosen.

    Args:
        run: the scan.
        positions: positions of the images.
        key: key of the gallery.
        label: accessible name.
        notes: texts below the thumbnails; by default, label and prediction.
        chosen: position of the framed image; used with `on_choose`.
        on_choose: function called with the position of a clicked image; by default, the image becomes the chosen one.
    """
    found = scan_data.images(run, tuple(positions), "thumbnail", "path", "label", "prediction")
    given = dict(zip(positions, notes or [], strict=False))
    images, titles, texts = {}, {}, {}
    for row in found:
        name = str(row["position"])
        images[name] = thumbnail(row["thumbnail"] or b"")
        titles[name] = short((row["path"] or "").rpartition("/")[2], 24) or name
        names = [short(row[column], 24) for column in ("label", "prediction") if row[column] is not None]
        texts[name] = given.get(row["position"]) or " → ".join(dict.fromkeys(names))
    if on_choose is None:
        chosen, on_choose = CHOSEN.get(), choose
    gallery(
        label,
        images,
        chosen=str(chosen) if str(chosen) in images else None,
        on_choose=lambda name: on_choose(int(name)),
        columns=COLUMNS,
        titles=True,
        notes=texts,
        labels=titles,
        key=key,
    )


def choose(position: int) -> None:
    """Choose an image."""
    CHOSEN.set(position)


def thumbnail(data: bytes) -> bytes:
    """Return a thumbnail of a scan as JPEG; a grey square if it is damaged. It is decoded, as any image of a file."""
    return _thumbnail(data)


@cached(share=0.1)
def _thumbnail(data: bytes) -> bytes:
    try:
        if len(data) > MOST_BYTES:
            raise ValueError("too large")
        image = Image.open(io.BytesIO(data), formats=["WEBP"])
        if max(image.size) > 4 * LARGEST:
            raise ValueError("too large")
        return as_jpeg(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        return as_jpeg(Image.new("RGB", (LARGEST, LARGEST), "grey"))


def card(run: ScanRun, position: int) -> bool:
    """Draw an image, with buttons that open it on other pages. Return False if the scan does not have it."""
    columns = ("path", "label", "prediction", "top5_probability", "thumbnail", "width", "height")
    found = scan_data.images(run, (position,), *columns)
    if not found:
        st.caption(f"The scan has no image {position:,}.")
        return False
    row = found[0]
    st.subheader(f"Image {position:,}", anchor=False)
    st.html(
        f'<img data-testid="scanned-image" alt="Image {position}" src="{data_url(thumbnail(row["thumbnail"] or b""))}" '
        'style="width: 100%; max-width: 12rem; border-radius: 6px;">'
    )
    st.markdown(_facts(row))
    st.caption("Open in")
    _buttons(run, position)
    return True


def _facts(row: dict) -> str:
    """Return the facts about an image in Markdown."""
    lines = [escape_markdown(short(row["path"] or "without a path"))]
    if row["width"] and row["height"]:
        lines[0] += f", {row['width']:,} × {row['height']:,} pixels"
    if row["label"] is not None:
        lines.append(f"Label: {escape_markdown(short(row['label']))}")
    if row["prediction"] is not None:
        likely = (row["top5_probability"] or [None])[0]
        share = "" if likely is None or not math.isfinite(likely) else f", {percent(likely)}"
        lines.append(f"Prediction: {escape_markdown(short(row['prediction']))}{share}")
    return "  \n".join(lines)


def _buttons(run: ScanRun, position: int) -> None:
    with st.container(horizontal=True, key="collection_open"):
        for page, title in PAGES.items():
            st.button(title, key=f"collection_open_{page}", on_click=partial(_open, run, position, page))


def _open(run: ScanRun, position: int, page: str) -> None:
    """Choose an image for the other pages; the page opens in the run that follows."""
    try:
        scan_choice.open_image(run.name, position, run.model, run.size, run.fit)
    except (ScanError, ImageError) as error:
        notices.set_image_problem(str(error))
        return
    st.session_state[OPENS] = page
