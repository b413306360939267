"""The catalogue: models that people ask for, search over all others, and their download."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from .. import zoo
from ..errors import ModelError
from ..model import VisionTransformer
from . import models, state
from .words import literally

FOUND_AT_MOST = 10

# Not in the visitor's own thread, which Streamlit stops when they click elsewhere: what has begun comes to its end.
_downloads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="download")


def open_catalogue() -> None:
    """Show the catalogue from the next run on."""
    st.session_state.catalogue = True


def close_catalogue() -> None:
    """Show it no longer."""
    st.session_state.catalogue = False


def catalogue_if_open() -> None:
    """Draw the catalogue over the page if the visitor has asked for it."""
    if st.session_state.get("catalogue"):
        _catalogue()


@st.dialog("Models", width="large", on_dismiss=close_catalogue)
def _catalogue() -> None:
    text = st.text_input(
        "Search all pretrained plain ViTs of timm", key="model_search", placeholder="for example: dinov3 large"
    )
    if text:
        with st.spinner("Searching …"):
            names = zoo.search(text, FOUND_AT_MOST)
            for name in names:
                zoo.facts(name)
        st.caption(
            f"The first {len(names)}; more words find fewer." if len(names) == FOUND_AT_MOST else f"{len(names)} found."
        )
    else:
        names = (*zoo.SHIPPED, *zoo.checkpoints(), *zoo.CURATED)
    for name in names:
        _row(name)


def _row(name: str) -> None:
    """One model: what it is, and a button to use or to download it."""
    on_disk, used = models.is_ready(name), name == state.choice().model
    with st.container(border=True):
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(f"**{literally(models.title(name))}**  \n{literally(models.summary(name))}")
        left.caption(literally(models.facts(name)))
        words = "In use" if used else "Use" if on_disk else f"Download {models.size_of_download(name)}"
        right.button(words, key=f"use_{name}", disabled=used, width="stretch", on_click=_want, args=(name,))
        if st.session_state.get("wanted_model") == name:
            st.session_state.wanted_model = None
            _use(name)


def _want(name: str) -> None:
    st.session_state.wanted_model = name


def _use(name: str) -> None:
    """Take a model, downloaded if need be, and go back to the page; or say why not."""
    try:
        _fetched(name)
        state.use_model(name)
    except ModelError as error:
        st.error(literally(str(error)))
    else:
        close_catalogue()
        st.rerun()


def _fetched(name: str) -> VisionTransformer:
    """The model, while a bar shows how much of it is here."""
    here, bar = [0, 0], st.progress(0.0, text="Loading …")

    def progress(done: int, total: int) -> None:
        here[:] = done, total

    job = _downloads.submit(zoo.shared, name, progress)
    while not job.done():
        done, total = here
        if total:
            words = f"{models.megabytes(done)} of {models.megabytes(total)}"
            bar.progress(min(1.0, done / total), text=words)
        time.sleep(0.1)
    bar.empty()
    return job.result()
