"""Choices of a user (per session), and data shared by all users (cached by content and settings).

Streamlit runs all users in threads of one process. Models and traces are shared by users with the same choice, and hold
no data about users.
"""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
import streamlit as st
from PIL import Image

from ... import zoo
from ...analysis import attention
from ...analysis.default_view import default_view
from ...errors import ImageError, ModelError
from ...images import FITS, Prepared, SafeImage, Size, prepare
from ...notation.marks import format_size, one_of
from ...notation.view import View
from ...trace.inputs import default_size
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ...viz.explorer.payload import Vectors, as_jpeg, fits_at_once, vectors
from ...viz.picture import sharp_picture
from . import class_shares, models, notices, sessions
from .cache import cached
from .cached_trace import cached_trace
from .class_images import ClassImage
from .decoded_images import decoded, preparing, thumbnail
from .folder_images import FolderImage
from .scans import ScanImage
from .settings import Setting
from .turns import one_at_a_time

FIRST_SAMPLE = "cat"
PICTURE = 960  # pixels of the longer side of a displayed image
DRAWN = "drawing"  # name of images from the drawing pad
CAMERA = "camera"  # name of photos taken on the page
MADE_HERE = (DRAWN, CAMERA)  # names of images that are not files of the user
OWN = "own"  # represents the user's own image in links and galleries; links do not include the image itself
CLASS = "class"  # represents an image shared with the class in galleries; links contain its name
SCAN = "scan"  # represents an image of a scan in galleries; links contain its position and the name of the scan
DRAWS_ON = "digits"  # the model, and its earlier checkpoints, for which a drawing is the natural image


@dataclass(frozen=True)
class Picked:
    """Image chosen by the user: a sample, or their own."""

    name: str
    data: bytes
    sample: bool

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Choice:
    """Image, model, input size and fit, as chosen in the sidebar."""

    picked: Picked | ClassImage | ScanImage | FolderImage
    model: str
    size: Size
    fit: str

    @property
    def key(self) -> tuple[str, str, str, Size, str]:
        """Cache key of the trace of this choice. It changes when the file of a checkpoint changes."""
        return self.picked.digest, self.model, zoo.version(self.model), self.size, self.fit


@cache
def samples() -> dict[str, bytes]:
    """Return the contents of the sample files by name, photographs first, then digits."""
    files = (path for kind in ("*.jpg", "digits/*.png") for path in sorted((zoo.assets() / "images").glob(kind)))
    return {path.stem: path.read_bytes() for path in files}


def samples_for(model: str) -> dict[str, bytes]:
    """Return the samples suitable for a model."""
    digits = zoo.series_name(zoo.base_of(model)) == DRAWS_ON
    return {name: data for name, data in samples().items() if name.startswith("digit-") == digits}


# ---------------------------------------------------------------- choices of one user


def _size_of(text: str, info: models.ModelInfo) -> Size:
    sizes = {format_size(size): size for size in info.sizes}
    return sizes[one_of(sizes)(text)]


MODEL = Setting("model", lambda _: models.opening())
SIZE = Setting(
    "size",
    lambda info: default_size(info.config, info.preprocessing),
    "size",
    read=_size_of,
    valid=lambda size, info: size in info.sizes,
)  # the context of this setting and the next is a `ModelInfo`
FIT = Setting(
    "fit",
    lambda info: info.preprocessing.fit,
    "fit",
    read=lambda text, info: one_of(FITS)(text),
    valid=lambda fit, info: fit in FITS,
)


def begin(
    model: str | None = None,
    size: Size | None = None,
    fit: str | None = None,
    image: str | None = None,
    shared: ClassImage | ScanImage | FolderImage | None = None,
) -> None:
    """Set the choices of a new session. Those not given get their defaults once the model is loaded."""
    MODEL.set(model or MODEL.default_value())
    for setting, value in ((SIZE, size), (FIT, fit)):
        if value is not None:
            setting.set(value)
    st.session_state.own = st.session_state.class_image = st.session_state.scan_image = None
    pick_sample(image or first_sample(MODEL.get()))
    if shared is not None:
        kinds = {ScanImage: "scan_image", ClassImage: "class_image"}
        st.session_state.picked = st.session_state[kinds.get(type(shared), "picked")] = shared


def has_begun() -> bool:
    """Return True if the choices of this session have been set."""
    return "picked" in st.session_state


def choice() -> Choice:
    """Return the current choice of this user. Size and fit are None while the model cannot be loaded."""
    return Choice(st.session_state.picked, MODEL.get(), SIZE.stored(), FIT.stored())


def use_model(name: str) -> None:
    """Switch to another model, with its default size, fit and samples.

    Raises:
        ModelError: if the model cannot be loaded; the choice is unchanged.
    """
    info = models.describe(name)
    _change_model(name)
    SIZE.store_current(info)
    FIT.store_current(info)
    picked = st.session_state.picked
    if picked.sample and picked.name not in samples_for(name):
        pick_sample(first_sample(name))


def _change_model(name: str) -> None:
    for setting in (MODEL, SIZE, FIT):
        setting.reset()
    MODEL.set(name)


def model_problem() -> str | None:
    """Return the reason why the user's model cannot be loaded, such as a changed file; None if it can.

    The model is not replaced by another one. Loading is tried again with each run. Invalid sizes and fits are replaced
    by the model's defaults.
    """
    name = MODEL.get()
    try:
        info = models.describe(name)
    except ModelError as error:
        return models.advice(str(error), name)
    SIZE.store_current(info)
    FIT.store_current(info)
    return None


def try_model(name: str) -> None:
    """Switch to a model. If it cannot be loaded, the page shows the reason; see `model_problem`."""
    try:
        use_model(name)
    except ModelError:
        _change_model(name)


def pick_sample(name: str) -> None:
    """Choose a sample."""
    st.session_state.picked = Picked(name, samples()[name], sample=True)
    notices.set_image_problem(None)


def pick_drawing(data: bytes | None) -> None:
    """Choose the user's drawing, or a sample if the drawing was cleared."""
    if data is not None:
        pick_upload(DRAWN, data)
    elif is_drawn():
        forget_own()


def is_drawn() -> bool:
    """Return True if the image is from the drawing pad."""
    picked = st.session_state.picked
    return picked.name == DRAWN and not picked.sample


def pick_upload(name: str, data: bytes) -> bool:
    """Choose the user's own image. An invalid image is reported and changes nothing.

    Returns:
        True if the image was accepted.
    """
    with preparing:
        try:
            image = _own(name, data)
        except ImageError as error:
            notices.set_image_problem(str(error))
            return False
        st.session_state.picked = st.session_state.own
        notices.set_image_problem(None)
        if choice().size is not None:
            with suppress(ModelError):  # shown by the page
                picture(choice())  # now, together with the model input, while the decoded image is in memory
        del image
    return True


def keep_upload(name: str, data: bytes) -> None:
    """Keep the user's own image without choosing it. An invalid image is ignored."""
    with suppress(ImageError):
        if st.session_state.own is None:
            _own(name, data)


def _own(name: str, data: bytes) -> SafeImage:
    """Store an image as the user's own, and return it decoded.

    Raises:
        ImageError: if the image is invalid; the message contains its name, and nothing is changed.
    """
    picked = Picked(name, data, sample=False)
    image = check_own(picked)
    st.session_state.own_thumbnail = thumbnail(image)
    sessions.add_image(hashlib.sha256(st.session_state.own_thumbnail).hexdigest())
    st.session_state.own = picked
    return image


def pick_own() -> None:
    """Choose the user's own image again."""
    if st.session_state.own is not None:
        st.session_state.picked = st.session_state.own


def chosen_mark() -> str:
    """Return the mark of the chosen image in galleries: a name, `OWN`, `CLASS`, `SCAN` or that of a file."""
    picked = st.session_state.picked
    kinds = {ClassImage: CLASS, ScanImage: SCAN, FolderImage: getattr(picked, "mark", "")}
    return picked.name if picked.sample else kinds.get(type(picked), OWN)


def own_beside(choice: Choice) -> Picked | None:
    """Return the user's own image for comparison with this choice; None if there is none or it is the same."""
    own = st.session_state.own
    return None if own is None or own.data == choice.picked.data else own


def check_own(picked: Picked) -> SafeImage:
    """Validate an image of the user, and return it decoded.

    Raises:
        ImageError: if the image is invalid; the message contains its name.
    """
    try:
        with sessions.upload(picked.digest, picked.data):
            return decoded(picked.digest, picked.data)
    except ImageError as error:
        raise ImageError(f"{picked.name}: {error}") from error


def forget_own() -> None:
    """Delete the user's own image, and end its sharing. If it was chosen, choose a sample."""
    class_shares.end_image(st.session_state.own)
    st.session_state.own = st.session_state.own_thumbnail = st.session_state.own_request = None
    if chosen_mark() == OWN:
        pick_sample(first_sample(MODEL.get()))


def first_sample(model: str) -> str:
    """Return the name of the sample that a model is shown first."""
    offered = samples_for(model)
    return FIRST_SAMPLE if FIRST_SAMPLE in offered else next(iter(offered))


# ---------------------------------------------------------------- shared by all users


def model(name: str) -> VisionTransformer:
    """Return a model, shared by all users. At most VITVIZ_MAX_MODELS models stay in memory."""
    return zoo.shared(name)


def original_image(choice: Choice) -> SafeImage:
    """Return the image of a choice, before preprocessing."""
    return decoded(choice.picked.digest, choice.picked.data)


def prepared(choice: Choice) -> Prepared:
    """Return the preprocessed image of a choice, which is the input of the model."""
    return _prepared(choice.key, choice)


@cached()
def _prepared(key: tuple, _choice: Choice) -> Prepared:
    info = models.describe(_choice.model)
    return prepare(original_image(_choice), _choice.size, info.config.patch_size, _choice.fit, info.preprocessing)


def trace(choice: Choice) -> Trace:
    """Return the trace of a choice, which records its forward pass."""
    find = partial(_trace, choice.key, choice)
    find()  # compute it now, not on first access
    return cached_trace(find, model(choice.model), choice.model)


@cached("Running the model …")
def _trace(key: tuple, _choice: Choice) -> Trace:
    """Return the trace without its model, so that the cache does not hold the model in memory."""
    image, network = prepared(_choice), model(_choice.model)
    with one_at_a_time.first():
        return replace(network.trace(image), model=None)


def picture(choice: Choice, longest: int = PICTURE) -> bytes:
    """Return the image as displayed, as JPEG, with `longest` pixels on the longer side, at most `PICTURE`."""
    return _picture(choice.key, longest, choice)


@cached()
def _picture(key: tuple, longest: int, _choice: Choice) -> bytes:
    if longest < PICTURE:  # made from the large one, because decoding a photo again takes much longer
        large = Image.open(io.BytesIO(picture(_choice)))
        sides = [max(1, round(side * longest / PICTURE)) for side in large.size]
        return as_jpeg(large.resize(sides, Image.Resampling.LANCZOS))
    return as_jpeg(sharp_picture(original_image(_choice), prepared(_choice), longest))


def statistics(choice: Choice) -> attention.HeadStatistics:
    """Return the mean attention distance and attention entropy of all heads."""
    return _statistics(choice.key, choice)


@cached("Computing head statistics …")
def _statistics(key: tuple, _choice: Choice) -> attention.HeadStatistics:
    recorded = trace(_choice)
    with one_at_a_time:
        return attention.head_statistics(recorded)


def opening(choice: Choice) -> View:
    """Return the initial view; see `vitviz.analysis.default_view`."""
    return _opening(choice.key, choice)


@cached()
def _opening(key: tuple, _choice: Choice) -> View:
    recorded = trace(_choice)
    with one_at_a_time.first():
        return default_view(recorded)


def explorer_vectors(choice: Choice, view: View) -> Vectors:
    """Return queries and keys for the explorer: of all layers if they are small enough, else of the view's layer."""
    recorded = trace(choice)
    layers = tuple(range(recorded.layers)) if fits_at_once(recorded) else (view.layer,)
    return _vectors(choice.key, layers, recorded)


def log_sums(choice: Choice) -> np.ndarray:
    """Return the log-sums, from which columns of attention weights are computed; see `vitviz.analysis.attention`."""
    return _log_sums(choice.key, choice)


@cached("Computing attention columns …")
def _log_sums(key: tuple, _choice: Choice) -> np.ndarray:
    recorded = trace(_choice)
    with one_at_a_time.first():
        return attention.log_sums(recorded)


@cached("Preparing the explorer …")
def _vectors(key: tuple, layers: tuple[int, ...], _trace: Trace) -> Vectors:
    with one_at_a_time.first():
        return vectors(_trace, layers)
