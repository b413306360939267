"""Choosing image and model; the same on every page."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ... import images
from ...images import FITS
from ...notation.view import readout_words
from ...viz.provenance import in_short
from ..components.gallery import gallery
from . import models, state, tour
from .catalogue import open_catalogue
from .messages import escape_markdown
from .pad import draw_a_digit
from .uploads import drop_zone

FIT_WORDS = {
    "crop": "Crop",
    "squash": "Squash",
    "pad": "Pad",
    "native": "Native",
}
OWN_WORDS = "Your image"  # what the visitor's own is called among the samples
NEARLY_ALL = 0.95  # of an image: what a fit cuts off to reach whole patches is not worth a word
MORE = "more"  # the entry of the model box that opens the catalogue; no model is called so
FORMATS = f"{', '.join(images.FORMATS[:-1])} or {images.FORMATS[-1]}, up to 20 MB."


def sidebar(page: str) -> None:
    """Draw the sidebar. Choices go to the session; `state.choice()` has them.

    Args:
        page: the page's address; the first page, whose address is empty, has images and the tour to choose on itself.
    """
    with st.sidebar:
        choose_model()
        if page:
            choose_image()
        about = models.describe(state.choice().model)
        left, right = st.columns(2)
        with left:
            state.SIZE.draw(st.selectbox, "Input size", about.sizes, context=about, format_func=models.size_label)
        with right:
            state.FIT.draw(st.selectbox, "Fit", FITS, context=about, format_func=FIT_WORDS.get)
        token_words(about)
        if page:
            tour.offer(tour.of_page(page), "sidebar_tour", width="stretch")


def choose_image() -> None:
    """Samples, upload, camera and drawing pad."""
    model = state.choice().model
    offered = len(state.samples_for(model)) + (st.session_state.own is not None)
    choose_sample("sidebar_gallery", columns=offered if offered <= 5 else 3 if offered <= 6 else 4, titles=False)
    left, right = st.columns(2)
    # places for what comes and goes: a pad that moved would be made anew, without what was drawn on it
    camera_place, pad_place = st.container(), st.container()
    with left:
        on = camera_switch()
    camera(on, camera_place)
    if right.toggle("Draw", key=f"draw_with_{model}", value=model == state.DRAWS_ON):
        draw_a_digit(pad_place)
    upload("sidebar_upload", "Your own photo")
    with st.container():
        image_words()


def choose_model() -> None:
    """The box to choose a model, and what was assumed of the current one."""
    about = models.describe(state.choice().model)
    model_box(about.summary)
    for note in about.notes:
        short = in_short(note)
        st.caption(escape_markdown(short), help=escape_markdown(note) if short != note else None)


def model_box(summary: str = "", label: str = "Model") -> None:
    """The models that can be used at once, and a way to all others."""
    current = state.MODEL.get()
    ready = models.ready()
    options = [*ready, *([] if current in ready else [current]), MORE]
    st.session_state.setdefault("model", current)
    words = {MORE: "More models …"}
    st.selectbox(
        label,
        options,
        key="model",
        format_func=lambda name: words.get(name) or models.title(name),
        help=summary or None,
        on_change=_take_model,
    )


def model_load_failure(problem: str) -> None:
    """Stand in for a page whose model cannot be loaded: the reason, and the box to choose another one."""
    chosen = state.choice()
    st.error(f"**{escape_markdown(models.title(chosen.model))} cannot be loaded.**  \n{escape_markdown(problem)}")
    with st.container(width=480):
        model_box(label="Choose another model")
    if st.query_params.get("model") != chosen.model:  # the address bar says which model this is about
        image = {"image": chosen.picked.name} if chosen.picked.sample else {}
        st.query_params.from_dict({**image, "model": chosen.model})


def _take_model() -> None:
    name = st.session_state.get("model")  # None if a click that was heard with this one has chosen another
    if name == MORE:
        st.session_state.pop("model")
        open_catalogue()
    elif name is not None:
        state.try_model(name)


def choose_sample(key: str, *, columns: int, titles: bool) -> bool:
    """The gallery of samples and of the visitor's own image. Returns whether one has just been chosen."""
    session = st.session_state
    images = dict(state.samples_for(state.choice().model))
    if session.own is not None:
        images[state.OWN] = session.own_thumbnail

    def pick(name: str) -> None:
        if name == state.OWN:
            state.pick_own()
        else:
            state.pick_sample(name)

    name = gallery(
        "Images",
        images,
        chosen=session.picked.name if session.picked.sample else state.OWN,
        on_choose=pick,
        columns=columns,
        titles=titles,
        words={state.OWN: OWN_WORDS},
        removable=(state.OWN,),
        on_remove=lambda _: state.forget_own(),
        key=key,
    )
    return name is not None


def camera_switch() -> bool:
    """A switch for the camera. Returns whether it is on."""
    return st.toggle("Camera", key="camera_on")


def camera(on: bool, place: DeltaGenerator) -> bool:
    """The camera, if it is on, in this place. Returns whether a photo has just been accepted."""
    if on:
        with place:
            st.camera_input("Take a photo", key="camera", on_change=_take_photo, label_visibility="collapsed")
    return st.session_state.pop("camera_accepted", False)


def upload(key: str, label: str) -> bool:
    """A drop zone for a visitor's own image. Returns whether one has just been accepted."""
    accepted = f"{key}_accepted"

    def take(name: str, data: bytes) -> None:
        st.session_state[accepted] = state.pick_upload(name, data)

    drop_zone(label, take, key=key, help=f"{FORMATS} It takes the place of your last one.")
    return st.session_state.pop(accepted, False)


def image_words() -> None:
    """What was done to the current image, and who sees it."""
    choice = state.choice()
    prepared = state.prepared(choice)
    for note in prepared.notes:
        st.caption(note)
    used = prepared.geometry.share
    if used < NEARLY_ALL and not choice.picked.sample:
        _only_the_centre(used, "use_all")
        with st.session_state.page_crop_place:
            _only_the_centre(used, "page_use_all")
    if not choice.picked.sample:
        what = "drawing" if state.is_drawn() else f"photo {escape_markdown(choice.picked.name)}"
        st.caption(
            f"Your {what} is kept in this browser for a day, and in the server's memory until about a minute after "
            "this tab is closed; a copied link opens without it."
        )


def page_place() -> None:
    """Make a place on the page for what concerns the image, for screens so narrow that the sidebar is closed."""
    st.session_state.page_crop_place = st.container(key="page_crop_place")


def _only_the_centre(used: float, key: str) -> None:
    """Say how much of the image is used, beside a button for all of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Only the centre {round(100 * used)}\u00a0% of the image is used.", width="stretch")
        st.button("Use all", key=key, on_click=_use_all)


def token_words(about: models.ModelInfo) -> None:
    """How many tokens follow from the choice, and which of them the model's output comes from."""
    rows, columns = state.prepared(state.choice()).geometry.grid
    names = about.config.prefix_token_names
    more = "".join(f" + {name}" for name in names)
    st.caption(f"{rows} × {columns} = {rows * columns} patches{more} = {rows * columns + len(names)} tokens")
    if readout_words(about.config):
        st.caption(readout_words(about.config))


def _use_all() -> None:
    """All of the image, undistorted, with about as many patches."""
    state.FIT.set("native")


def _take_photo() -> None:
    photo = st.session_state.camera
    if photo is not None:
        st.session_state.camera_accepted = state.pick_upload(state.CAMERA, photo.getvalue())
