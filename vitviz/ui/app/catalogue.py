"""The catalogue: models that people ask for, search over all others, and their download."""

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
PLACE = "models"  # where downloads are waited for
LEAST = 1.0  # seconds after which a speed is believed

_downloaded: dict[str, int] = {}  # bytes since the server began, by the name of the model
_counting = threading.Lock()


def open_catalogue() -> None:
    """Show the catalogue from the next run on."""
    st.session_state.catalogue = True
    background.set_dialog(PLACE)
    _ask_again()
    for name in list(_downloaded):  # what was downloaded while it was closed is not used unasked
        if models.is_ready(name):
            background.forget(_key(name))


def close_catalogue() -> None:
    """Show it no longer."""
    st.session_state.catalogue = False
    background.set_dialog(None)


def catalogue_if_open() -> None:
    """Draw the catalogue over the page if the visitor has asked for it."""
    if st.session_state.get("catalogue"):
        _catalogue()


@st.dialog("Models", width="large", on_dismiss=close_catalogue)
def _catalogue() -> None:
    with show_errors():
        _say_if_offline()
        text = st.text_input(
            "Search all pretrained plain ViTs of timm", key="model_search", placeholder="for example: dinov3 large"
        )
        shown = _found(text) if text else (*zoo.SHIPPED, *zoo.checkpoints(), *zoo.CURATED)
        background.watch(PLACE, [one for name in shown for one in _row(name)], in_fragment=True)


def _say_if_offline() -> None:
    """Find out whether there can be downloads, once each time that the catalogue is opened, and say if not."""
    if st.session_state.hub_reached is None:
        with st.spinner("Asking the hub …"):
            st.session_state.hub_reached = zoo.can_reach_hub()
    if not st.session_state.hub_reached:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.warning("Offline: the hub cannot be reached, so only models on this disk can be used.")
        right.button("Try again", key="hub_again", on_click=_ask_again, width="stretch")


def _ask_again() -> None:
    st.session_state.hub_reached = None


def _found(text: str) -> tuple[str, ...]:
    with st.spinner("Searching …"):
        names = zoo.search(text, limit=1000)
        for name in names[:FOUND_AT_MOST]:
            zoo.facts(name)  # made while the spinner turns, and kept
    shown = f"; these are the first {FOUND_AT_MOST}, more words find fewer" if len(names) > FOUND_AT_MOST else ""
    st.caption(f"{len(names)} found{shown}.")
    refused = None if names else zoo.why_refused(text)
    if refused:
        st.info(escape_markdown(refused))
    return names[:FOUND_AT_MOST]


def _row(name: str) -> list[background.Request]:
    """One model: what it is, and a button to use or to download it; the download if it was asked for."""
    used, ready = name == state.choice().model, models.is_ready(name)
    with st.container(border=True):
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(f"**{escape_markdown(models.title(name))}**  \n{escape_markdown(models.summary(name))}")
        if models.facts(name):
            left.caption(escape_markdown(models.facts(name)))
        words, possible = ("In use", False) if used else _offer(name)
        work = background.Work(
            _key(name), PLACE, f"use_{name}", words, width="stretch", keeps_parts=True, jobs=queue.downloads
        )
        if possible and not ready:
            step = background.Step(work.key, partial(_download, name), say=_so_far, is_kept=False)
            below = st.container()
            with right:
                return background.start_button(replace(work, steps=[step]), below)
        right.button(words, key=work.name, disabled=not possible, width="stretch", on_click=_want, args=(name,))
        background.start_button(work)  # says why it has failed
        if possible and (st.session_state.get("wanted_model") == name or background.is_requested(work)):
            st.session_state.wanted_model = None
            background.forget(work.key)
            _use(name)
    return []


def _key(name: str) -> tuple:
    return "download", name


def _offer(name: str) -> tuple[str, bool]:
    """What can be done with a model, in words, and whether it is allowed here."""
    if models.is_ready(name):
        return "Use", True
    size = zoo.facts(name).download_bytes
    if not models.largest_download():
        return "Not on this server", False
    if size > models.largest_download():
        return f"{models.megabytes(size)}: too large here", False
    if not _has_room(name, size):
        return "No more downloads here", False
    return f"Download {models.megabytes(size)}", st.session_state.hub_reached


def _want(name: str) -> None:
    st.session_state.wanted_model = name


def _use(name: str) -> None:
    """Take a model that is here, and go back to the page; or say why not."""
    try:
        with st.spinner("Loading …"):
            state.use_model(name)
    except ModelError as error:
        st.error(escape_markdown(str(error)))
    else:
        close_catalogue()
        st.rerun()


def _count(name: str) -> None:
    """Count what will be downloaded; several visitors may ask for the last that there is room for.

    Raises:
        ModelError: if all together would be too much.
    """
    if models.is_ready(name):
        return
    with _counting:
        size = zoo.facts(name).download_bytes
        if not _has_room(name, size):
            raise ModelError("This server has reached its download limit; choose a model that is already here.")
        _downloaded[name] = size


def _has_room(name: str, size: int) -> bool:
    """Return True if this model can be downloaded beside the others that were."""
    others = sum(bytes_ for other, bytes_ in list(_downloaded.items()) if other != name)
    return others + size <= models.all_downloads()


def _uncount(name: str) -> None:
    """Count a download no more, because it has failed."""
    with _counting:
        _downloaded.pop(name, None)


def _download(name: str, job: queue.Job) -> None:
    """Bring a model here, in any thread. One that is stopped still counts: some of it is on the disk.

    Raises:
        ModelError: if that fails, or would be too much.
    """
    start, began = (0, 0), time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal start, began
        if total != start[1]:  # another file, of which some may be here from before
            start, began = (done, total), time.monotonic()
        if total:
            job.part = so_far(done, total, done - start[0], time.monotonic() - began)
        job(done, total)

    _count(name)
    try:
        zoo.shared(name, progress)
    except Exception:
        _uncount(name)
        raise


def _so_far(job: queue.Job) -> str:
    return job.part or "Loading …"


def so_far(done: int, total: int, came: int, seconds: float) -> str:
    """Say how much of a download is here, and how long the rest takes at the speed at which some of it came."""
    words = f"{models.megabytes(done)} of {models.megabytes(total)}"
    if came <= 0 or done >= total or seconds < LEAST:
        return words
    return f"{words}, {durations.format_duration(seconds / came * (total - done))} left"
