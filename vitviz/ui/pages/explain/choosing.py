"""Choosing what is explained: classes, or images to compare with."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ....analysis.predictions import class_name, predictions
from ....errors import ImageError
from ....notation.marks import percent
from ....trace.trace import Trace
from ...app import state
from ...app.messages import escape_markdown
from ...app.sidebar import FORMATS, OWN_LABEL
from ...app.uploads import drop_zone
from .settings import TARGETS, UPLOADS, aims, set_target
from .targets import MOST_IMAGES, Aim, Alike, OfClass, OwnFeature

TITLES = ("Target 1", "Target 2, if you like")
PROBLEMS = "explain_upload_problems"


def choose_targets(choice: state.Choice, trace: Trace) -> None:
    """The boxes that say what is explained, for both rows."""
    if trace.model.is_classifier:
        choose_classes(choice, trace)
    else:
        choose_images(choice)


def choose_classes(choice: state.Choice, trace: Trace) -> None:
    """A class, the likeliest first, and optionally another one that it is compared with."""
    likely = {one.index: f"{one.label} ({percent(one.probability)})" for one in predictions(trace, count=5)}
    classes = [one.index for one in predictions(trace, count=len(trace.output))]
    chosen = [*aims(choice), None][:2]

    def words(index: int) -> str:
        return likely.get(index) or class_name(trace.model, index)

    for place, (column, aim) in enumerate(zip(st.columns(2, gap="large"), chosen, strict=True)):
        with column.container(horizontal=True):
            index, minus = (aim.index, aim.minus) if isinstance(aim, OfClass) else (None, None)
            _box(choice, "class", place, TITLES[place], classes, index, words)
            others = [other for other in classes if other != index]
            if index is not None and others:
                _box(choice, "minus", place, "minus, if you like", others, minus, words)


def _box(
    choice: state.Choice,
    part: str,
    place: int,
    label: str,
    options: list[int],
    chosen: int | None,
    words: Callable[[int], str],
) -> None:
    key = f"explain_{part}_{place}"
    st.session_state[key] = chosen
    st.selectbox(
        label,
        options,
        index=None,
        key=key,
        format_func=words,
        placeholder="nothing",
        on_change=_take_class,
        args=(choice, place),
    )


def _take_class(choice: state.Choice, place: int) -> None:
    index, minus = (st.session_state.get(f"explain_{part}_{place}") for part in ("class", "minus"))
    set_target(choice, place, None if index is None else OfClass(index, None if minus == index else minus))


def choose_images(choice: state.Choice) -> None:
    """Images that this one is compared with: one, or several that show what they have in common."""
    with st.container():  # says what cannot be used
        for problem in st.session_state.pop(PROBLEMS, ()):
            st.error(escape_markdown(problem))
        by_digest = _offered(choice)
    own = state.own_beside(choice)
    words = {own.digest: OWN_LABEL} if own else {}
    chosen = [*aims(choice), None][:2]
    for place, (column, aim) in enumerate(zip(st.columns(2, gap="large"), chosen, strict=True)):
        key = f"explain_images_{place}"
        asked = TARGETS[place].get(choice) is not None
        digests = [picked.digest for picked in aim.images] if asked and isinstance(aim, Alike) else []
        st.session_state[key] = [digest for digest in digests if digest in by_digest]
        column.multiselect(
            f"{TITLES[place]}: similarity to",
            list(by_digest),
            key=key,
            format_func=lambda digest: words.get(digest) or by_digest[digest].name,
            max_selections=MOST_IMAGES,
            placeholder=_until_then(aim),
            help="Without a choice, this image’s own feature is explained. Choose one image to ask why the two are "
            "alike; choose several of a kind, and it is their mean.",
            on_change=_take_images,
            args=(choice, place, by_digest),
        )
    with st.popover("Compare with your own photos", icon=":material/add_photo_alternate:"):
        drop_zone("Your own photos", _take_upload, key="explain_upload", help=FORMATS, many=True)
        st.caption(
            "They appear in the boxes above, and are kept in the server's memory only: the last "
            f"{MOST_IMAGES}, while this tab is open."
        )


def _until_then(aim: Aim | None) -> str:
    """What is explained while nobody has chosen an image."""
    return "this image’s own feature" if isinstance(aim, OwnFeature) else "nothing"


def _take_images(choice: state.Choice, place: int, offered: dict[str, state.Picked]) -> None:
    images = tuple(offered[digest] for digest in st.session_state[f"explain_images_{place}"])
    set_target(choice, place, Alike(images) if images else None)


def _offered(choice: state.Choice) -> dict[str, state.Picked]:
    """All images that this one can be compared with, by their digests; the visitor's own after the samples."""
    samples = [state.Picked(name, data, sample=True) for name, data in state.samples_for(choice.model).items()]
    chosen = [picked for aim in aims(choice) if isinstance(aim, Alike) for picked in aim.images]
    own = state.own_beside(choice)
    found: dict[str, state.Picked] = {}
    for picked in (*samples, *([own] if own else []), *chosen, *UPLOADS.get()):
        found.setdefault(picked.digest, picked)
    found.pop(choice.picked.digest, None)
    return found


def _take_upload(name: str, data: bytes) -> None:
    """Offer a photo of the visitor's own from here on. One that cannot be used is said, and changes nothing."""
    picked, session = state.Picked(name, data, sample=False), st.session_state
    try:
        state.check_own(picked)
    except ImageError as error:
        session[PROBLEMS] = [*session.get(PROBLEMS, ()), str(error)]
    else:
        others = [other for other in UPLOADS.get() if other.data != data]
        UPLOADS.set([*others, picked][-MOST_IMAGES:])
