"""Selection of the targets: classes, or images to compare with."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ....analysis.predictions import class_name, predictions
from ....errors import ImageError
from ....notation.marks import percent
from ....trace.trace import Trace
from ...app import state
from ...app.jobs import background
from ...app.messages import escape_markdown
from ...app.sidebar import FORMATS, OWN_LABEL
from ...app.uploads import drop_zone
from ..teach.offer import offer_classes, offer_return
from .maps import PLACE
from .settings import TARGETS, UPLOADS, set_target, target_specs
from .targets import MOST_IMAGES, ClassSpec, ImageSpec, OwnFeatureSpec, TargetSpec

TITLES = ("Target 1", "Target 2 (optional)")
PROBLEMS = "explain_upload_problems"


def choose_targets(choice: state.Choice, trace: Trace) -> list[background.Request]:
    """Draw the boxes for the targets of both rows. Return the remaining work for classes, if the user wants them."""
    if not trace.model.is_classifier:
        choose_images(choice)
        return offer_classes(choice, PLACE)
    choose_classes(choice, trace)
    offer_return()
    return []


def choose_classes(choice: state.Choice, trace: Trace) -> None:
    """Draw boxes for a class, most probable first, and for an optional class to contrast with."""
    likely = {one.index: f"{one.label} ({percent(one.probability)})" for one in predictions(trace, count=5)}
    classes = [one.index for one in predictions(trace, count=len(trace.output))]
    chosen = [*target_specs(choice), None][:2]

    def label_of(index: int) -> str:
        return likely.get(index) or class_name(trace.model, index)

    for place, (column, target) in enumerate(zip(st.columns(2, gap="large"), chosen, strict=True)):
        with column.container(horizontal=True):
            index, minus = (target.index, target.minus) if isinstance(target, ClassSpec) else (None, None)
            _box(choice, "class", place, TITLES[place], classes, index, label_of)
            others = [other for other in classes if other != index]
            if index is not None and others:
                _box(choice, "minus", place, "contrast with (optional)", others, minus, label_of)


def _box(
    choice: state.Choice,
    part: str,
    place: int,
    label: str,
    options: list[int],
    chosen: int | None,
    format_func: Callable[[int], str],
) -> None:
    key = f"explain_{part}_{place}"
    st.session_state[key] = chosen
    st.selectbox(
        label,
        options,
        index=None,
        key=key,
        format_func=format_func,
        placeholder="none",
        on_change=_take_class,
        args=(choice, place),
    )


def _take_class(choice: state.Choice, place: int) -> None:
    index, minus = (st.session_state.get(f"explain_{part}_{place}") for part in ("class", "minus"))
    set_target(choice, place, None if index is None else ClassSpec(index, None if minus == index else minus))


def choose_images(choice: state.Choice) -> None:
    """Draw boxes for the images to compare with: one image, or several that share a concept."""
    with st.container():  # for errors of uploads
        for problem in st.session_state.pop(PROBLEMS, ()):
            st.error(escape_markdown(problem))
        by_digest = _offered(choice)
    own = state.own_beside(choice)
    labels = {own.digest: OWN_LABEL} if own else {}
    chosen = [*target_specs(choice), None][:2]
    for place, (column, target) in enumerate(zip(st.columns(2, gap="large"), chosen, strict=True)):
        key = f"explain_images_{place}"
        is_chosen = TARGETS[place].get(choice) is not None
        digests = [picked.digest for picked in target.images] if is_chosen and isinstance(target, ImageSpec) else []
        st.session_state[key] = [digest for digest in digests if digest in by_digest]
        column.multiselect(
            f"{TITLES[place]}: similarity to",
            list(by_digest),
            key=key,
            format_func=lambda digest: labels.get(digest) or by_digest[digest].name,
            max_selections=MOST_IMAGES,
            placeholder=_default_label(target),
            help="By default the target is this image’s own feature. Choose one image to explain the similarity to it, "
            "or several to explain the similarity to their mean feature.",
            on_change=_take_images,
            args=(choice, place, by_digest),
        )
    with st.popover("Compare with your own images", icon=":material/add_photo_alternate:"):
        drop_zone("Your own images", _take_upload, key="explain_upload", help=FORMATS, many=True)
        st.caption(
            f"They appear in the boxes above. The server keeps the last {MOST_IMAGES} in memory while this tab is open."
        )


def _default_label(target: TargetSpec | None) -> str:
    """Return the label of the default target."""
    return "this image’s own feature" if isinstance(target, OwnFeatureSpec) else "none"


def _take_images(choice: state.Choice, place: int, offered: dict[str, state.Picked]) -> None:
    images = tuple(offered[digest] for digest in st.session_state[f"explain_images_{place}"])
    set_target(choice, place, ImageSpec(images) if images else None)


def _offered(choice: state.Choice) -> dict[str, state.Picked]:
    """Return all images to compare with by digest: samples, then the user's own."""
    samples = [state.Picked(name, data, sample=True) for name, data in state.samples_for(choice.model).items()]
    chosen = [picked for target in target_specs(choice) if isinstance(target, ImageSpec) for picked in target.images]
    own = state.own_beside(choice)
    images: dict[str, state.Picked] = {}
    for picked in (*samples, *([own] if own else []), *chosen, *UPLOADS.get()):
        images.setdefault(picked.digest, picked)
    images.pop(choice.picked.digest, None)
    return images


def _take_upload(name: str, data: bytes) -> None:
    """Offer an uploaded image from now on. Report an image that cannot be used and change nothing."""
    picked, session = state.Picked(name, data, sample=False), st.session_state
    try:
        state.check_own(picked)
    except ImageError as error:
        session[PROBLEMS] = [*session.get(PROBLEMS, ()), str(error)]
    else:
        others = [other for other in UPLOADS.get() if other.data != data]
        UPLOADS.set([*others, picked][-MOST_IMAGES:])
