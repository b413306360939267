"""Models offered by the app, and their descriptions before and after loading."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass, replace
from functools import lru_cache

import streamlit as st

from ... import zoo
from ...errors import ModelError
from ...errors.arguments import LONGEST_PATH, shown_path
from ...images import Preprocessing, Size
from ...model.config import ViTConfig
from ...notation import variables
from ...notation.marks import join_words
from ...trace.inputs import default_size
from ...zoo.options import rewrite_options

USUAL_SIDES = (224, 288, 336, 384, 448, 512)  # pixels, rounded to whole patches
LARGEST_GRID = 40 * 40  # patches; larger grids make the page slow
MOST_NAMED = 5  # classes in a summary


@dataclass(frozen=True)
class ModelInfo:
    """Description of a model.

    Attributes:
        name: name in the zoo.
        title: display name.
        summary: one-line description.
        config: configuration.
        preprocessing: preprocessing of images.
        sizes: offered input sizes, in pixels.
        notes: assumptions made when loading, one sentence each.
    """

    name: str
    title: str
    summary: str
    config: ViTConfig
    preprocessing: Preprocessing
    sizes: tuple[Size, ...]
    notes: tuple[str, ...] = ()


def describe(name: str) -> ModelInfo:
    """Describe a model. Models that do not ship with vitviz are loaded once for this.

    Raises:
        ModelError: if the model cannot be loaded.
    """
    base = zoo.base_of(name)
    described = _describe(base, zoo.version(base))
    return described if base == name else _with_head(described, name)


def _with_head(base: ModelInfo, name: str) -> ModelInfo:
    """Describe a model with the head of a user. This is not cached, because others must not see it.

    Raises:
        ModelError: if the head does not fit the model, or its input size cannot be offered.
    """
    model = zoo.shared(name)
    size = default_size(model.config, model.preprocessing)
    largest = max(LARGEST_GRID * model.config.patch_size**2, *(math.prod(pixels(other)) for other in base.sizes))
    if math.prod(pixels(size)) > largest:
        raise ModelError(
            f"The head was fitted on images of {size_label(size)}, which are too large for the app; fit it on smaller "
            "images, or use it in Python."
        )
    return replace(
        base,
        name=name,
        title=title(name),
        summary=summary(name),
        config=model.config,
        preprocessing=model.preprocessing,
        sizes=_by_area({*base.sizes, size}),
        notes=tuple(advice(note, base.name) for note in model.notes),
    )


@lru_cache(maxsize=64)
def _describe(name: str, version: str) -> ModelInfo:
    entry = zoo.entry_of(name)
    if entry is not None:
        return ModelInfo(name, entry.title, entry.summary, entry.config, entry.preprocessing, entry.sizes)
    if is_checkpoint(name) and not version:
        raise zoo.not_offered(shown_path(name))
    model = zoo.shared(name)
    if model.config.in_chans not in (1, 3):
        raise ModelError(
            f"{name!r} takes {model.config.in_chans} channels, but images have 1 or 3; use it in Python, with tensors."
        )
    return ModelInfo(
        name,
        title(name),
        summary(name),
        model.config,
        model.preprocessing,
        sizes(model.config, model.preprocessing),
        tuple(advice(note, name) for note in model.notes),
    )


def title(name: str) -> str:
    """Return the display name of a model; by default, its name in the zoo."""
    base, head = zoo.base_of(name), zoo.held(name)
    entry = zoo.entry_of(base) or zoo.CURATED.get(base)
    of_base = entry.title if entry else base
    return of_base if base == name else f"{of_base} + {head.name if head else 'own classes'}"


def name_in_files(name: str) -> str:
    """Return the name of a model for names of files."""
    base, head = zoo.base_of(name), zoo.held(name)
    return base if head is None else f"{base}-{head.name}"


def outputs_of(name: str) -> str:
    """Return a name that models share if their outputs mean the same, for settings that name a class.

    Fitting a head again, on other images of the same classes, does not change it. The checkpoints of a training run
    share it, too.
    """
    base, head = zoo.base_of(name), zoo.held(name)
    if head is None:
        return zoo.series_name(name)
    classes = repr((head.labels, head.output_kind)).encode(errors="surrogatepass")
    return f"{base}+{hashlib.sha256(classes).hexdigest()}"


def advice(text: str, name: str) -> str:
    """Rewrite a sentence on options of `vitviz.load` for server operators, who set them in the sidecar file."""
    worded = rewrite_options(text, lambda option, value: f"{option} = {value}" if value else option)
    if worded == text or not is_checkpoint(name):
        return text
    return f"{worded.removesuffix('.')}, in {zoo.sidecar_of(name)} beside the checkpoint."


def summary(name: str) -> str:
    """Return a one-line description of a model; empty if there is none."""
    head = zoo.held(name)
    if head is not None:
        return _summary_of_head(head)
    entry = zoo.entry_of(name) or zoo.CURATED.get(name)
    return entry.summary if entry else "A checkpoint on this server." if zoo.is_offered(name) else ""


def _summary_of_head(head: zoo.LinearHead) -> str:
    more = len(head.labels) - MOST_NAMED
    names = [*head.labels[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
    images = sum(head.counts)
    measured = "" if head.correct is None else f", of which {head.correct} were predicted correctly when left out"
    kind = "Independent classes" if head.output_kind == "independent" else "Classes"
    return f"{kind} {join_words(names, 'and')}, fitted on {images} image{'s' * (images != 1)}{measured}."


def ready() -> list[str]:
    """Models available without a download: shipped models, the server's checkpoints, and curated models on disk."""
    return [*zoo.SHIPPED, *zoo.checkpoints(), *(name for name in zoo.CURATED if zoo.is_on_disk(name))]


def is_ready(name: str) -> bool:
    """Return True if a model is available without a download; False if it does not exist."""
    try:
        return zoo.is_offered(name) or zoo.is_on_disk(name)
    except ModelError:
        return False


def opening() -> str:
    """Return the name of the model with which sessions open: VITVIZ_MODEL, or else the first shipped model."""
    name = variables.MODEL.value()
    return name if is_ready(name) else next(iter(zoo.SHIPPED))


def is_checkpoint(name: str) -> bool:
    """Return True for the name of a checkpoint, offered or not. A few pretrained models have names of that form."""
    looks_like_one = len(name) <= LONGEST_PATH and name.endswith(zoo.SUFFIXES)
    return zoo.is_offered(name) or (looks_like_one and not is_ready(name))


def sizes(config: ViTConfig, preprocessing: Preprocessing | None = None) -> tuple[Size, ...]:
    """Return the input sizes to offer: the model's own, and common squares if the model is meant for photographs."""
    usual = (
        {round(side / config.patch_size) * config.patch_size for side in USUAL_SIDES}
        if config.image_size[0] >= 112
        else set()
    )
    fitting = {side for side in usual if (side // config.patch_size) ** 2 <= LARGEST_GRID}
    return _by_area(fitting | {default_size(config, preprocessing)})


def _by_area(sizes: set[Size]) -> tuple[Size, ...]:
    return tuple(sorted(sizes, key=lambda size: math.prod(pixels(size))))


def pixels(size: Size) -> tuple[int, int]:
    """Return height and width of an input size."""
    return size if isinstance(size, tuple) else (size, size)


def size_label(size: Size) -> str:
    """Format an input size: `"224 px"` for squares, otherwise `"96 × 192 px"` (height × width)."""
    return f"{size[0]} × {size[1]} px" if isinstance(size, tuple) else f"{size} px"


def facts(name: str) -> str:
    """Return key figures of a model, such as `"86.6 M parameters · patch 16 · 224 px · 1,000 classes · mit"`."""
    if zoo.is_offered(name):
        return ""
    entry = zoo.entry_of(name) or zoo.facts(name)
    height, width = entry.image_size
    trained = height if height == width else (height, width)
    parts = (
        f"{entry.parameters / 1e6:,.1f} M parameters",
        f"patch {entry.patch_size}",
        size_label(trained),
        _outputs(entry),
        entry.licence or "licence unknown",
        *([name] if title(name) != name else []),
    )
    return " · ".join(parts)


def _outputs(entry: zoo.ZooEntry | zoo.TimmEntry) -> str:
    if entry.embedding_dim:
        return f"embedding of {entry.embedding_dim}"
    return f"{entry.num_classes:,} classes" if entry.num_classes else "no classes"


def largest_download() -> float:
    """Maximum bytes of a model that users may download: VITVIZ_MAX_DOWNLOAD_GB; 0 forbids downloads.

    The default is 2 GB if only this machine is served, and otherwise 0, because other users could fill the disk.

    Raises:
        ModelError: if the variable is not a number.
    """
    return 1e9 * variables.MAX_DOWNLOAD_GB.value(None if serves_others() else "2")


def all_downloads() -> float:
    """Maximum bytes of all downloads until the server stops: VITVIZ_MAX_DOWNLOADS_GB.

    Raises:
        ModelError: if the variable is not a number.
    """
    return 1e9 * variables.MAX_DOWNLOADS_GB.value()


def serves_others() -> bool:
    """Return True if other machines are served, directly or through a proxy."""
    address = st.get_option("server.address")
    try:
        is_local = ipaddress.ip_address(address or "0.0.0.0").is_loopback
    except ValueError:  # a host name
        is_local = address == "localhost"
    return not is_local or any(name in st.context.headers for name in ("X-Forwarded-For", "Forwarded"))


def megabytes(count: int) -> str:
    """Format a number of bytes: `"88 MB"` or `"1.2 GB"`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
