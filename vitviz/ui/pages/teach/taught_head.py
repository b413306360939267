"""The fitted or opened head: probabilities for the present image, use on all pages, and its file."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from .... import zoo
from ....analysis.classifier import Fitted
from ....analysis.predictions import Prediction
from ....errors import ImageError, ModelError
from ....images import read_image
from ....trace.inputs import default_size
from ....viz.inline import data_url
from ....zoo.heads import LinearHead, head_bytes
from ....zoo.heads.names import SUFFIX
from ...app import models, state, taught
from ...app.decoded_images import thumbnail
from ...app.messages import escape_markdown
from ...app.uploads import drop_zone
from ...widgets.prediction import prediction_bars
from . import collection, image_features
from .image_features import FeatureSetup
from .settings import LONGEST_NAME, NAME, OPENED, WITH_THUMBNAILS

MOST_THUMBNAILS = 12  # shown of an opened head, for each class
MOST_NAMED = 5  # classes of the head of the session
LARGEST_THUMBNAIL = 50_000  # bytes; larger ones in an opened file are dropped unread


def draw(choice: state.Choice, head: LinearHead) -> None:
    """Draw what a head that was fitted on this model predicts for the present image."""
    st.markdown(f"**Your image: {escape_markdown(choice.picked.name)}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(f'<img class="vv-present" alt="" src="{data_url(state.picture(choice, 320))}">', width="content")
        with st.container(key="teach_prediction"):
            found = predictions(choice, head)
            prediction_bars(found[: collection.MOST_CLASSES], one_of_all=head.output_kind == "classes")


def draw_actions(head: LinearHead, thumbnails: tuple[tuple[bytes, ...], ...] = ()) -> None:
    """Draw what can be done with a head.

    Args:
        head: the head.
        thumbnails: thumbnails of the images of each class, for the file.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        _use(head)
        _keep(head, thumbnails)


def predictions(choice: state.Choice, head: LinearHead) -> list[Prediction]:
    """Return the probabilities of all classes for the image of a choice, most probable first."""
    feature = image_features.feature(setup_of(choice, head), choice.picked)
    return sorted(of_feature(head, feature), key=lambda one: -one.probability)


def of_feature(head: LinearHead, feature: np.ndarray) -> list[Prediction]:
    """Return the probabilities of all classes for the feature of an image, in the order of the classes."""
    linear = Fitted(head.labels, head.weight, head.bias, head.output_kind == "independent")
    probabilities = linear.probabilities(feature[None])[0].tolist()
    return [Prediction(index, *one) for index, one in enumerate(zip(head.labels, probabilities, strict=True))]


def fits(choice: state.Choice, head: LinearHead) -> bool:
    """Return True if a head was fitted on the chosen model.

    Raises:
        ModelError: if it was, but has another preprocessing or width, or its input size is not possible in the app.
    """
    try:
        zoo.check_head(head, zoo.shared(choice.model))
    except ModelError:
        return False
    name, _ = zoo.hold(choice.model, head)  # the name is known while the head is kept
    models.describe(name)
    return True


def setup_of(choice: state.Choice, head: LinearHead) -> FeatureSetup:
    """Return the setup of a head, which may differ from the user's choice if the head was opened."""
    preprocessing = head.preprocessing
    size = default_size(models.describe(choice.model).config, preprocessing)
    return FeatureSetup(choice.model, size, preprocessing.fit, head.pooling)


def _use(head: LinearHead) -> None:
    """Draw the buttons that use the head on all pages, and that end it."""
    current = taught.head() if taught.is_used() else None
    if current is not None and current.digest == head.digest:
        st.button("Stop using it", key="teach_leave", on_click=taught.leave_head)
        st.page_link("pages/explain.py", label="Explain its decision", icon=":material/lightbulb:")
    else:
        use = partial(collection.reported, partial(taught.use_head, head))
        label = "Use in all pages" if current is None else "Use the new head in all pages"
        st.button(label, key="teach_use", type="primary", on_click=use)


def draw_held(shown: LinearHead | None) -> None:
    """Draw what can be done with the head of this session, if it is not the one shown above."""
    held = taught.head()
    if held is None or (shown is not None and held.digest == shown.digest):
        return
    names = ", ".join(held.labels[:MOST_NAMED]) + (" …" if len(held.labels) > MOST_NAMED else "")
    where = "In use on all pages" if taught.is_used() else "Not in use"
    with st.container(horizontal=True, vertical_alignment="center", key="teach_held"):
        st.markdown(f"{where}: **{escape_markdown(held.name)}** ({escape_markdown(names)})", width="content")
        if taught.is_used():
            st.button("Stop using it", key="teach_leave_held", on_click=taught.leave_head)
        st.button("Delete it", key="teach_forget", on_click=taught.forget_head)


def _keep(head: LinearHead, thumbnails: tuple[tuple[bytes, ...], ...]) -> None:
    """Draw the download of the head."""
    with st.popover("Download", icon=":material/download:"):
        if thumbnails:  # of the user's own classes, which have no name yet
            NAME.draw(st.text_input, "Name", max_chars=LONGEST_NAME)
        if thumbnails and WITH_THUMBNAILS.draw(st.checkbox, f"With thumbnails of all images ({collection.SIDE} px)"):
            head = replace(head, thumbnails=thumbnails)
        name = re.sub(r"[^\w-]+", "-", head.name).strip("-") or "head"
        st.download_button("Save the head", head_bytes(head), f"{name}{SUFFIX}", key="teach_save", on_click="ignore")


# ---------------------------------------------------------------- heads from files


def draw_opened(choice: state.Choice) -> LinearHead | None:
    """Draw the drop zone for a head, and the facts about the opened one. Return it if it fits the model."""
    drop_zone(f"Head, a {SUFFIX} file", _open, key="teach_head_file")
    head = OPENED.get()
    if head is None:
        return None
    counts = ", ".join(f"{name} ({count})" for name, count in zip(head.labels, head.counts, strict=True))
    correct = "" if head.correct is None else f" {head.correct} of {sum(head.counts)} correct when left out."
    with st.container(key="teach_opened_head"):
        st.markdown(f"**{escape_markdown(head.name)}**  \nFitted on {escape_markdown(counts)}.{correct}")
    for name, images in zip(head.labels, head.thumbnails, strict=False):
        _draw_thumbnails(name, images)
    if fits(choice, head):
        return head
    st.info(f"This head was fitted on {escape_markdown(head.model)}, which is chosen when you use it.")
    _use(head)
    return None


def _draw_thumbnails(name: str, images: tuple[bytes, ...]) -> None:
    st.caption(escape_markdown(name))
    drawn = "".join(f'<img alt="" width="64" src="{data_url(image)}"> ' for image in images[:MOST_THUMBNAILS])
    st.html(f"<div>{drawn}</div>")


def _open(name: str, data: bytes) -> None:
    """Open a head. A file that is refused is reported and changes nothing."""

    def read() -> None:
        head = taught.read(data, name)
        OPENED.set(replace(head, thumbnails=tuple(map(_readable, head.thumbnails))))

    collection.reported(read)


def _readable(thumbnails: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return the thumbnails of a file that can be read, encoded anew, because a browser will decode them."""
    found = []
    for data in thumbnails[:MOST_THUMBNAILS]:
        if len(data) <= LARGEST_THUMBNAIL:
            with suppress(ImageError):
                found.append(thumbnail(read_image(data), collection.SIDE))
    return tuple(found)
