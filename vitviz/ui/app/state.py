"""What a visitor has chosen (per session), and what all visitors share (cached by content and settings).

Streamlit runs each visitor in a thread of one process. A model and a trace are the same for all who look at the same
thing, so they are made once; nothing about a visitor is kept on them.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
import streamlit as st
from PIL import ImageOps

from ... import zoo
from ...analysis import attention
from ...analysis.opening import opening_view
from ...errors import ImageError, ModelError
from ...images import FITS, Prepared, SafeImage, Size, prepare, read_image
from ...notation.marks import format_size, one_of
from ...notation.view import View
from ...trace.inputs import default_size
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ...viz.picture import sharp_picture
from ..components.explorer.payload import Vectors, as_jpeg, fits_at_once, vectors
from . import models, notices, sessions
from .cache import cached
from .cached_trace import cached_trace
from .settings import Setting
from .turns import one_at_a_time

FIRST_SAMPLE = "cat"
DRAWN = "drawing"  # what an image from the drawing pad is called
CAMERA = "camera"  # what a photo taken on the page is called
MADE_HERE = (DRAWN, CAMERA)  # images that are no file of the user's
OWN = "own"  # stands in links and galleries for a user's own image, which no link carries
DRAWS_ON = "digits"  # the model for which a drawing is the natural image


@dataclass(frozen=True)
class Picked:
    """The image that a visitor looks at: a sample, or their own."""

    name: str
    data: bytes
    sample: bool

    @cached_property
    def digest(self) -> str:
        """What identifies the content, whoever uploaded it."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Choice:
    """What a visitor looks at, and how; what the sidebar is about."""

    picked: Picked
    model: str
    size: Size
    fit: str

    @property
    def key(self) -> tuple[str, str, str, Size, str]:
        """What identifies the trace of this choice; another one when a checkpoint's file has changed."""
        return self.picked.digest, self.model, zoo.version(self.model), self.size, self.fit


@cache
def samples() -> dict[str, bytes]:
    """The images that ship, photographs and then digits, as files, by name."""
    folder = zoo.assets() / "images"
    files = (*sorted(folder.glob("*.jpg")), *sorted(folder.glob("digits/*.png")))
    return {path.stem: path.read_bytes() for path in files}


def samples_for(model: str) -> dict[str, bytes]:
    """The samples that a model is made for."""
    return {name: data for name, data in samples().items() if name.startswith("digit-") == (model == DRAWS_ON)}


# ---------------------------------------------------------------- one visitor's choice


def _size_of(text: str, about: models.ModelInfo) -> Size:
    sizes = {format_size(size): size for size in about.sizes}
    return sizes[one_of(sizes)(text)]


MODEL = Setting("model", next(iter(zoo.SHIPPED)))
SIZE = Setting(
    "size",
    lambda about: default_size(about.config, about.preprocessing),
    "size",
    read=_size_of,
    valid=lambda size, about: size in about.sizes,
)  # its context, and that of the next one, is what the app knows of the model
FIT = Setting(
    "fit",
    lambda about: about.preprocessing.fit,
    "fit",
    read=lambda text, about: one_of(FITS)(text),
    valid=lambda fit, about: fit in FITS,
)


def begin(model: str | None = None, size: Size | None = None, fit: str | None = None, image: str | None = None) -> None:
    """Fill in a new session's choices; those not given get their defaults as soon as the model is loaded."""
    MODEL.set(model or MODEL.first())
    for setting, value in ((SIZE, size), (FIT, fit)):
        if value is not None:
            setting.set(value)
    st.session_state.own = None
    pick_sample(image or _first_sample(MODEL.get()))


def has_begun() -> bool:
    """Whether this session has made its choices."""
    return "picked" in st.session_state


def choice() -> Choice:
    """The current choice of this visitor; size and fit are None while the model cannot be loaded."""
    return Choice(st.session_state.picked, MODEL.get(), SIZE.kept(), FIT.kept())


def use_model(name: str) -> None:
    """Look through another model, with its own size, fit and samples.

    Raises:
        ModelError: if it cannot be loaded; then nothing has changed.
    """
    about = models.describe(name)
    _change_model(name)
    SIZE.settle(about)
    FIT.settle(about)
    picked = st.session_state.picked
    if picked.sample and picked.name not in samples_for(name):
        pick_sample(_first_sample(name))


def _change_model(name: str) -> None:
    for setting in (MODEL, SIZE, FIT):
        setting.reset()
    MODEL.set(name)


def model_problem() -> str | None:
    """Why the visitor's model cannot be looked through, for example because its file has changed; None if it can.

    Nothing else is shown instead. The model is tried again with each run, and gets its own size and fit where the
    visitor has chosen none that it can have.
    """
    name = MODEL.get()
    try:
        about = models.describe(name)
    except ModelError as error:
        return models.advice(str(error), name)
    SIZE.settle(about)
    FIT.settle(about)
    return None


def try_model(name: str) -> None:
    """Use this model; if it cannot be loaded, the page says so, see `model_problem`."""
    try:
        use_model(name)
    except ModelError:
        _change_model(name)


def pick_sample(name: str) -> None:
    """Look at one of the samples."""
    st.session_state.picked = Picked(name, samples()[name], sample=True)
    notices.set_image_problem(None)


def pick_drawing(data: bytes | None) -> None:
    """Look at what the visitor has drawn; when all of it is wiped off, at a sample again."""
    if data is not None:
        pick_upload(DRAWN, data)
    elif is_drawn():
        forget_own()


def is_drawn() -> bool:
    """Whether the image is from the drawing pad."""
    picked = st.session_state.picked
    return picked.name == DRAWN and not picked.sample


def pick_upload(name: str, data: bytes) -> bool:
    """Look at a visitor's own image. One that cannot be used is remembered as a problem and changes nothing.

    Returns:
        Whether the image is looked at now.
    """
    try:
        _own(name, data)
    except ImageError as error:
        notices.set_image_problem(str(error))
        return False
    st.session_state.picked = st.session_state.own
    notices.set_image_problem(None)
    if choice().size is not None:
        with suppress(ModelError):  # is said by the page
            picture(choice())  # now, with what the model sees, while the image is at hand: only a few stay in memory
    return True


def keep_upload(name: str, data: bytes) -> None:
    """Have a visitor's own image at hand beside the one that they look at. One that cannot be used is left out."""
    if st.session_state.own is None:
        with suppress(ImageError):
            _own(name, data)


def _own(name: str, data: bytes) -> None:
    """Take an image as the visitor's own.

    Raises:
        ImageError: if it cannot be used; this says which image it is. Then nothing has changed.
    """
    picked = Picked(name, data, sample=False)
    check_own(picked)
    st.session_state.own_thumbnail = _thumbnail(_safe_image(picked.digest, data))
    sessions.note(hashlib.sha256(st.session_state.own_thumbnail).hexdigest())
    st.session_state.own = picked


def pick_own() -> None:
    """Look at the visitor's own image again."""
    if st.session_state.own is not None:
        st.session_state.picked = st.session_state.own


def own_beside(choice: Choice) -> Picked | None:
    """The visitor's own image, to be set beside the one of this choice; None if that is the same, or there is none."""
    own = st.session_state.own
    return None if own is None or own.data == choice.picked.data else own


def check_own(picked: Picked) -> None:
    """Read an image of the visitor's own.

    Raises:
        ImageError: if it cannot be used; this says which image it is.
    """
    sessions.note(picked.digest)
    try:
        _safe_image(picked.digest, picked.data)
    except ImageError as error:
        raise ImageError(f"{picked.name}: {error}") from error


def forget_own() -> None:
    """Have no image of the visitor's own any more; if they looked at it, look at a sample."""
    st.session_state.own = st.session_state.own_thumbnail = st.session_state.own_asked = None
    if not st.session_state.picked.sample:
        pick_sample(_first_sample(MODEL.get()))


def _thumbnail(image: SafeImage, side: int = 240) -> bytes:
    return as_jpeg(ImageOps.fit(image.rgb, (side, side)))


def _first_sample(model: str) -> str:
    offered = samples_for(model)
    return FIRST_SAMPLE if FIRST_SAMPLE in offered else next(iter(offered))


# ---------------------------------------------------------------- shared by all visitors


def model(name: str) -> VisionTransformer:
    """The model that all visitors share; at most VITVIZ_MAX_MODELS stay in memory."""
    return zoo.shared(name)


@cached("Reading the image …", share=0.2)
def _safe_image(digest: str, _data: bytes) -> SafeImage:
    return read_image(_data)


def photo(choice: Choice) -> SafeImage:
    """The choice's image as it was given."""
    return _safe_image(choice.picked.digest, choice.picked.data)


def prepared(choice: Choice) -> Prepared:
    """The choice's image as the model sees it."""
    return _prepared(choice.key, choice)


@cached()
def _prepared(key: tuple, _choice: Choice) -> Prepared:
    about = models.describe(_choice.model)
    image = _safe_image(_choice.picked.digest, _choice.picked.data)
    return prepare(image, _choice.size, about.config.patch_size, _choice.fit, about.preprocessing)


def trace(choice: Choice) -> Trace:
    """The choice's forward pass."""
    kept = partial(_trace, choice.key, choice)
    kept()  # made now, and not when a part of it is asked for
    return cached_trace(kept, model(choice.model), choice.model)


@cached("Running the model …")
def _trace(key: tuple, _choice: Choice) -> Trace:
    """The pass without its model, which would stay in memory with it."""
    image = prepared(_choice)
    network = model(_choice.model)
    with one_at_a_time.first():
        return replace(network.trace(image), model=None)


def picture(choice: Choice, longest: int = 960) -> bytes:
    """The photo as people see it, JPEG, its longer side as many pixels."""
    return _picture(choice.key, longest, choice)


@cached()
def _picture(key: tuple, longest: int, _choice: Choice) -> bytes:
    image = _safe_image(_choice.picked.digest, _choice.picked.data)
    return as_jpeg(sharp_picture(image, prepared(_choice), longest))


def statistics(choice: Choice) -> attention.HeadStatistics:
    """Attention distance and entropy of all heads."""
    return _statistics(choice.key, choice)


@cached("Measuring all heads …")
def _statistics(key: tuple, _choice: Choice) -> attention.HeadStatistics:
    found = trace(_choice)
    with one_at_a_time:
        return attention.head_statistics(found)


def opening(choice: Choice) -> View:
    """View to begin with, see `vitviz.analysis.opening`."""
    return _opening(choice.key, choice)


@cached()
def _opening(key: tuple, _choice: Choice) -> View:
    found = trace(_choice)
    with one_at_a_time.first():
        return opening_view(found)


def explorer_vectors(choice: Choice, view: View) -> Vectors:
    """The queries and keys that the explorer needs: of all layers where they fit, else of the view's layer."""
    found = trace(choice)
    layers = tuple(range(found.layers)) if fits_at_once(found) else (view.layer,)
    return _vectors(choice.key, layers, found)


def log_sums(choice: Choice) -> np.ndarray:
    """What columns of attention weights need, see `vitviz.analysis.attention.log_sums`."""
    return _log_sums(choice.key, choice)


@cached("Turning the question round …")
def _log_sums(key: tuple, _choice: Choice) -> np.ndarray:
    found = trace(_choice)
    with one_at_a_time.first():
        return attention.log_sums(found)


@cached("Preparing the explorer …")
def _vectors(key: tuple, layers: tuple[int, ...], _trace: Trace) -> Vectors:
    with one_at_a_time.first():
        return vectors(_trace, layers)
