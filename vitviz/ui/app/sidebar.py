"""Sidebar for choosing the image and the model, on every page."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ... import images, zoo
from ...images import FITS
from ...notation.view import pooling_note
from ...viz.provenance import without_advice
from ..components.gallery import gallery
from . import (
    class_choice,
    class_images,
    class_link,
    class_shares,
    folder_choice,
    folder_images,
    link,
    models,
    projector,
    scan_choice,
    state,
    taught,
    tour,
)
from .catalogue import open_catalogue
from .messages import escape_markdown
from .pad import draw_a_digit
from .settings import bound
from .uploads import drop_zone

FIT_LABELS = {
    "crop": "Crop",
    "squash": "Squash",
    "pad": "Pad",
    "native": "Native",
}
OWN_LABEL = "Your image"  # title of the user's own image in the gallery
LABELS = {state.OWN: OWN_LABEL, state.CLASS: "Class image", state.SCAN: "Scan image"}
NEARLY_ALL = 0.95  # share of the image above which no notice about cropping is shown
MORE = "more"  # option of the model box that opens the catalogue; not the name of a model
FORMATS = f"{', '.join(images.FORMATS[:-1])} or {images.FORMATS[-1]}, up to 20 MB."


def sidebar(page: str) -> None:
    """Draw the sidebar. Choices are stored in the session; see `state.choice()`.

    Args:
        page: address of the page; empty for the first page, which has its own gallery and tour button.
    """
    with st.sidebar:
        choose_model()
        if page:
            choose_image()
        info = models.describe(state.choice().model)
        left, right = st.columns(2)
        with left:
            state.SIZE.draw(st.selectbox, "Input size", info.sizes, context=info, format_func=models.size_label)
        with right:
            state.FIT.draw(st.selectbox, "Fit", FITS, context=info, format_func=FIT_LABELS.get)
        token_caption(info)
        if page:
            tour.offer(tour.of_page(page), "sidebar_tour", width="stretch")
        with st.container(horizontal=True, vertical_alignment="center", key="for_classes"):
            class_link.button("class_link")
            projector.switch()


def choose_image() -> None:
    """Draw the sample gallery, upload, camera and drawing pad."""
    model = state.choice().model
    offered = len(offered_images())
    choose_sample("sidebar_gallery", columns=offered if offered <= 5 else 3 if offered <= 6 else 4, titles=False)
    left, right = st.columns(2)
    # containers at fixed positions: a pad whose position changes would be mounted again and lose its drawing
    camera_place, pad_place = st.container(), st.container()
    with left:
        on = camera_switch()
    camera(on, camera_place)
    series = zoo.series_name(zoo.base_of(model))  # the switch stays as it is when another checkpoint is chosen
    if right.toggle("Draw", key=f"draw_with_{series}", value=series == state.DRAWS_ON):
        draw_a_digit(pad_place)
    upload("sidebar_upload", "Your own image")
    with st.container():
        image_captions()


def choose_model() -> None:
    """Draw the model box and the assumptions made when loading the current model."""
    info = models.describe(state.choice().model)
    model_box(info.summary)
    for note in info.notes:
        short = without_advice(note)
        st.caption(escape_markdown(short), help=escape_markdown(note) if short != note else None)


def model_box(summary: str = "", label: str = "Model") -> None:
    """Draw the box with the models available without a download, and an option that opens the catalogue.

    A model with the user's head stands below its base model.
    """
    current, own = state.MODEL.get(), taught.name()
    ready = [name for model in models.ready() for name in (model, own) if name and zoo.base_of(name) == model]
    options = [*ready, *dict.fromkeys(name for name in (current, own) if name and name not in ready), MORE]
    labels = {MORE: "More models …"}
    bound(
        st.selectbox,
        label,
        options,
        key="model",
        value=current,
        take=_take_model,
        format_func=lambda name: labels.get(name) or models.title(name),
        help=escape_markdown(summary) or None,
    )


def model_load_failure(problem: str) -> None:
    """Draw the error and a model box in place of a page whose model cannot be loaded."""
    chosen = state.choice()
    st.error(f"**{escape_markdown(models.title(chosen.model))} cannot be loaded.**  \n{escape_markdown(problem)}")
    with st.container(width=480):
        model_box(label="Choose another model")
    named = link.model_parameters(chosen.model)
    if st.query_params.get("model") != named["model"]:  # the address bar names the model
        image = {"image": chosen.picked.name} if chosen.picked.sample else {}
        st.query_params.from_dict({**image, **named})


def _take_model(name: str) -> None:
    if name == MORE:
        open_catalogue()
    else:
        state.try_model(name)


def choose_sample(key: str, *, columns: int, titles: bool) -> bool:
    """Draw the gallery of samples and the user's own image. Return True if one has just been chosen."""
    special = {state.OWN: state.pick_own, state.CLASS: class_choice.pick, state.SCAN: scan_choice.pick}

    def pick(name: str) -> None:
        if name.startswith(folder_images.MARK):
            folder_choice.pick(name)
            return
        special.get(name, lambda: state.pick_sample(name))()

    name = gallery(
        "Images",
        offered_images(),
        chosen=state.chosen_mark(),
        on_choose=pick,
        columns=columns,
        titles=titles,
        labels=LABELS | folder_choice.labels(),
        removable=(state.OWN,),
        on_remove=lambda _: state.forget_own(),
        key=key,
    )
    return name is not None


def offered_images() -> dict[str, bytes]:
    """Return the images of the gallery by name: samples, the server's, the user's own image, and that of the class."""
    session = st.session_state
    images = state.samples_for(state.choice().model) | folder_images.thumbnails()
    if session.own is not None:
        images[state.OWN] = session.own_thumbnail
    if session.class_image is not None:
        images[state.CLASS] = class_choice.thumbnail()
    if session.scan_image is not None:
        images[state.SCAN] = scan_choice.thumbnail()
    return images


def camera_switch() -> bool:
    """Draw a switch for the camera. Return True if it is on."""
    return st.toggle("Camera", key="camera_on")


def camera(on: bool, place: DeltaGenerator) -> bool:
    """Draw the camera, if it is on, in a container. Return True if a photo has just been accepted."""
    if on:
        with place:
            st.camera_input("Take a photo", key="camera", on_change=_take_photo, label_visibility="collapsed")
    return st.session_state.pop("camera_accepted", False)


def upload(key: str, label: str) -> bool:
    """Draw a drop zone for the user's own image. Return True if one has just been accepted."""
    accepted = f"{key}_accepted"

    def take(name: str, data: bytes) -> None:
        st.session_state[accepted] = state.pick_upload(name, data)

    drop_zone(label, take, key=key, help=f"{FORMATS} It replaces your previous image.")
    return st.session_state.pop(accepted, False)


def image_captions() -> None:
    """Draw captions on the preprocessing of the current image and on the storage of the user's own image."""
    choice = state.choice()
    prepared = state.prepared(choice)
    for note in prepared.notes:
        st.caption(note)
    used = prepared.geometry.visible_fraction
    if used < NEARLY_ALL and not choice.picked.sample:
        _crop_notice(used, "use_all")
        with st.session_state.page_crop_place:
            _crop_notice(used, "page_use_all")
    if isinstance(choice.picked, class_images.ClassImage):
        st.caption(class_link.time_left(choice.picked.shared))
    elif isinstance(choice.picked, scan_choice.ScanImage):
        st.caption(scan_choice.describe(choice.picked))
    elif isinstance(choice.picked, folder_images.FolderImage):
        st.caption(f"{escape_markdown(choice.picked.name)}, an image of this server.")
    elif not choice.picked.sample:
        kind = "drawing" if state.is_drawn() else f"image {escape_markdown(choice.picked.name)}"
        share = class_shares.of_image(choice.picked)
        links = "Links do not include it." if share is None else class_link.time_left(share.name)
        with st.container(key="own_image_kept"):
            st.caption(
                f"Your {kind} is kept in this browser for a day, and in the server's memory until about a minute after "
                f"this tab is closed. {links}"
            )


def page_place() -> None:
    """Create a container on the page for notices about the image, for narrow screens, where the sidebar is closed."""
    st.session_state.page_crop_place = st.container(key="page_crop_place")


def _crop_notice(used: float, key: str) -> None:
    """Draw the share of the image that is used, and a button to use all of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Only the centre {round(100 * used)}\u00a0% of the image is used.", width="stretch")
        st.button("Use all", key=key, on_click=_use_all)


def token_caption(info: models.ModelInfo) -> None:
    """Draw the number of tokens, and the tokens from which the output is computed."""
    rows, columns = state.prepared(state.choice()).geometry.grid
    names = info.config.prefix_token_names
    more = "".join(f" + {name}" for name in names)
    st.caption(f"{rows} × {columns} = {rows * columns} patches{more} = {rows * columns + len(names)} tokens")
    if pooling_note(info.config):
        st.caption(pooling_note(info.config))


def _use_all() -> None:
    """Use the whole image, undistorted, with about the same number of patches."""
    state.FIT.set("native")


def _take_photo() -> None:
    photo = st.session_state.camera
    if photo is not None:
        st.session_state.camera_accepted = state.pick_upload(state.CAMERA, photo.getvalue())
