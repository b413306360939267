"""Model catalogue: popular models, search over all others, and downloads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial

import streamlit as st

from ... import zoo
from ...errors import ModelError
from . import models, state
from .jobs import background, durations, queue
from .messages import escape_markdown, show_errors

FOUND_AT_MOST = 10
PLACE = "models"  # place of the downloads, see `background.Work`
LEAST = 1.0  # minimum seconds for estimating the speed of a download

_downloaded: dict[str, int] = {}  # bytes downloaded since the server started, by model
_counting = threading.Lock()


def open_catalogue() -> None:
    """Open the catalogue with the next run."""
    st.session_state.catalogue = True
    background.set_dialog(PLACE)
    _check_hub_again()
    for name in list(_downloaded):  # a download that ended while the catalogue was closed does not switch the model
        if models.is_ready(name):
            background.forget(_key(name))


def close_catalogue() -> None:
    """Close the catalogue."""
    st.session_state.catalogue = False
    background.set_dialog(None)


def catalogue_if_open() -> None:
    """Draw the catalogue over the page if it is open."""
    if st.session_state.get("catalogue"):
        _catalogue()


@st.dialog("Models", width="large", on_dismiss=close_catalogue)
def _catalogue() -> None:
    with show_errors():
        _check_hub()
        text = st.text_input(
            "Search all pretrained plain ViTs of timm", key="model_search", placeholder="for example: dinov3 large"
        )
        shown = _search(text) if text else (*zoo.SHIPPED, *zoo.checkpoints(), *zoo.CURATED)
        background.watch(PLACE, [one for name in shown for one in _row(name)], in_fragment=True)


def _check_hub() -> None:
    """Check once, after opening, whether the hub can be reached, and show a warning if not."""
    if st.session_state.hub_reached is None:
        with st.spinner("Contacting the Hugging Face Hub …"):
            st.session_state.hub_reached = zoo.can_reach_hub()
    if not st.session_state.hub_reached:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.warning("Offline: the Hugging Face Hub cannot be reached. Only models on this disk are available.")
        right.button("Try again", key="hub_again", on_click=_check_hub_again, width="stretch")


def _check_hub_again() -> None:
    st.session_state.hub_reached = None


def _search(text: str) -> tuple[str, ...]:
    with st.spinner("Searching …"):
        names = zoo.search(text, limit=1000)
        for name in names[:FOUND_AT_MOST]:
            zoo.facts(name)  # cached, while the spinner is shown
    shown = f"; showing the first {FOUND_AT_MOST}, add words to narrow the search" if len(names) > FOUND_AT_MOST else ""
    st.caption(f"{len(names)} found{shown}.")
    refused = None if names else zoo.why_refused(text)
    if refused:
        st.info(escape_markdown(refused))
    return names[:FOUND_AT_MOST]


def _row(name: str) -> list[background.Request]:
    """Draw a model with a button to use or download it. Return its download if it was requested."""
    used, ready = name == state.choice().model, models.is_ready(name)
    with st.container(border=True):
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(f"**{escape_markdown(models.title(name))}**  \n{escape_markdown(models.summary(name))}")
        if models.facts(name):
            left.caption(escape_markdown(models.facts(name)))
        label, possible = ("In use", False) if used else _offer(name)
        work = background.Work(
            _key(name), PLACE, f"use_{name}", label, width="stretch", keeps_parts=True, jobs=queue.downloads
        )
        if possible and not ready:
            step = background.Step(work.key, partial(_download, name), describe=_describe_download, is_kept=False)
            below = st.container()
            with right:
                return background.start_button(replace(work, steps=[step]), below)
        right.button(label, key=work.name, disabled=not possible, width="stretch", on_click=_want, args=(name,))
        background.start_button(work)  # shows the error of a failed download
        if possible and (st.session_state.get("wanted_model") == name or background.is_requested(work)):
            st.session_state.wanted_model = None
            background.forget(work.key)
            _use(name)
    return []


def _key(name: str) -> tuple:
    return "download", name


def _offer(name: str) -> tuple[str, bool]:
    """Return the label of a model's button, and whether the button is enabled."""
    if models.is_ready(name):
        return "Use", True
    size = zoo.facts(name).download_bytes
    if not models.largest_download():
        return "Not on this server", False
    if size > models.largest_download():
        return f"{models.megabytes(size)}: above the limit", False
    if not _has_room(name, size):
        return "Download limit reached", False
    return f"Download {models.megabytes(size)}", st.session_state.hub_reached


def _want(name: str) -> None:
    st.session_state.wanted_model = name


def _use(name: str) -> None:
    """Switch to an available model and close the catalogue, or show the error."""
    try:
        with st.spinner("Loading …"):
            state.use_model(name)
    except ModelError as error:
        st.error(escape_markdown(str(error)))
    else:
        close_catalogue()
        st.rerun()


def _count(name: str) -> None:
    """Add a download to the total. The lock prevents concurrent requests from exceeding the limit.

    Raises:
        ModelError: if the total would exceed the limit.
    """
    if models.is_ready(name):
        return
    with _counting:
        size = zoo.facts(name).download_bytes
        if not _has_room(name, size):
            raise ModelError("This server has reached its download limit; choose a model that is already here.")
        _downloaded[name] = size


def _has_room(name: str, size: int) -> bool:
    """Return True if the download of this model stays within the limit for all downloads."""
    others = sum(bytes_ for other, bytes_ in list(_downloaded.items()) if other != name)
    return others + size <= models.all_downloads()


def _uncount(name: str) -> None:
    """Remove a failed download from the total."""
    with _counting:
        _downloaded.pop(name, None)


def _download(name: str, job: queue.Job) -> None:
    """Download a model, in any thread. A stopped download still counts, because a part of it is on the disk.

    Raises:
        ModelError: if the download fails or exceeds the limit.
    """
    start, began = (0, 0), time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal start, began
        if total != start[1]:  # the next file, of which a part may already be on the disk
            start, began = (done, total), time.monotonic()
        if total:
            job.part = format_progress(done, total, done - start[0], time.monotonic() - began)
        job(done, total)

    _count(name)
    try:
        zoo.shared(name, progress)
    except Exception:
        _uncount(name)
        raise


def _describe_download(job: queue.Job) -> str:
    return job.part or "Loading …"


def format_progress(done: int, total: int, received: int, seconds: float) -> str:
    """Format the progress of a download, with the remaining time at the speed measured so far.

    Args:
        done: bytes on the disk.
        total: bytes of the file.
        received: bytes downloaded since the measurement began.
        seconds: duration of the measurement.
    """
    text = f"{models.megabytes(done)} of {models.megabytes(total)}"
    if received <= 0 or done >= total or seconds < LEAST:
        return text
    return f"{text}, {durations.format_duration(seconds / received * (total - done))} left"
