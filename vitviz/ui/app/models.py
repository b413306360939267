"""What can be chosen as a model, and what the app has to know of a model before and after it is loaded."""

from __future__ import annotations

import ipaddress
import math
import os
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

from ... import zoo
from ...errors import ModelError
from ...errors.arguments import LONGEST_PATH, number, shown_path
from ...images import Preprocessing, Size
from ...model.config import ViTConfig
from ...trace.inputs import default_size
from ...zoo.options import reworded

USUAL_SIDES = (224, 288, 336, 384, 448, 512)  # pixels; rounded to whole patches
LARGEST_GRID = 40 * 40  # patches; a larger one makes the page slow


@dataclass(frozen=True)
class ModelInfo:
    """A model as the app knows it.

    Attributes:
        name: what the zoo calls it.
        title: what people call it.
        summary: one line on what it is.
        config: its shape.
        preprocessing: how pixels become its input.
        sizes: input sizes that are offered, pixels.
        notes: what was assumed when it was loaded, a sentence each.
    """

    name: str
    title: str
    summary: str
    config: ViTConfig
    preprocessing: Preprocessing
    sizes: tuple[Size, ...]
    notes: tuple[str, ...] = ()


def describe(name: str) -> ModelInfo:
    """What the app knows of a model. All but a shipped one is loaded for that, once.

    Raises:
        ModelError: if it cannot be loaded.
    """
    return _describe(name, zoo.version(name))


@lru_cache(maxsize=64)
def _describe(name: str, version: str) -> ModelInfo:
    if name in zoo.SHIPPED:
        entry = zoo.SHIPPED[name]
        return ModelInfo(name, entry.title, entry.summary, entry.config, entry.preprocessing, entry.sizes)
    if is_checkpoint(name) and not version:
        raise zoo.not_offered(shown_path(name))
    model = zoo.shared(name)
    if model.config.in_chans not in (1, 3):
        raise ModelError(
            f"{name!r} takes {model.config.in_chans} channels, which no photo has; look at it in Python, with tensors."
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
    """What people call a model; its name if nobody has given it another."""
    entry = zoo.SHIPPED.get(name) or zoo.CURATED.get(name)
    return entry.title if entry else name


def advice(text: str, name: str) -> str:
    """Sentence on a checkpoint that names options of `vitviz.load`, for those who run a server: where they go."""
    worded = reworded(text, lambda option, value: f"{option} = {value}" if value else option)
    if worded == text or not is_checkpoint(name):
        return text
    return f"{worded.removesuffix('.')}, in {zoo.sidecar_of(name)} beside the checkpoint."


def summary(name: str) -> str:
    """One line on a model; empty if nobody has written one."""
    entry = zoo.SHIPPED.get(name) or zoo.CURATED.get(name)
    return entry.summary if entry else "A checkpoint on this server." if zoo.is_offered(name) else ""


def ready() -> list[str]:
    """The models that can be used at once: shipped ones, the server's checkpoints, and curated ones on this disk."""
    return [*zoo.SHIPPED, *zoo.checkpoints(), *(name for name in zoo.CURATED if zoo.is_on_disk(name))]


def is_ready(name: str) -> bool:
    """Whether a model can be used without a download; False if there is no such model."""
    try:
        return zoo.is_offered(name) or zoo.is_on_disk(name)
    except ModelError:
        return False


def is_checkpoint(name: str) -> bool:
    """True for the name of a checkpoint, on offer or not; a few pretrained models are called so as well."""
    looks_like_one = len(name) <= LONGEST_PATH and name.endswith(zoo.SUFFIXES)
    return zoo.is_offered(name) or (looks_like_one and not is_ready(name))


def sizes(config: ViTConfig, preprocessing: Preprocessing | None = None) -> tuple[Size, ...]:
    """Input sizes that make sense for a model: its own, and usual squares if it was made for photographs."""
    usual = (
        {round(side / config.patch_size) * config.patch_size for side in USUAL_SIDES}
        if config.image_size[0] >= 112
        else set()
    )
    fitting = {side for side in usual if (side // config.patch_size) ** 2 <= LARGEST_GRID}
    return tuple(sorted(fitting | {default_size(config, preprocessing)}, key=lambda size: math.prod(pixels(size))))


def pixels(size: Size) -> tuple[int, int]:
    """Height and width of an input."""
    return size if isinstance(size, tuple) else (size, size)


def size_label(size: Size) -> str:
    """An input size in words: `"224 px"` of a square, `"96 × 192 px"` (height × width) of others."""
    return f"{size[0]} × {size[1]} px" if isinstance(size, tuple) else f"{size} px"


def facts(name: str) -> str:
    """A model's numbers in words, such as `"86.6 M parameters · patch 16 · 224 px · 1,000 classes · mit"`."""
    if zoo.is_offered(name):
        return ""
    entry = zoo.SHIPPED.get(name) or zoo.facts(name)
    height, width = entry.image_size
    trained = height if height == width else (height, width)
    parts = (
        f"{entry.parameters / 1e6:,.1f} M parameters",
        f"patch {entry.patch}",
        size_label(trained),
        _outputs(entry),
        entry.licence or "licence not known",
        *([name] if title(name) != name else []),
    )
    return " · ".join(parts)


def _outputs(entry: zoo.ZooEntry | zoo.TimmEntry) -> str:
    if entry.embedding:
        return f"embedding of {entry.embedding}"
    return f"{entry.classes:,} classes" if entry.classes else "no classes"


def largest_download() -> float:
    """Bytes of the largest model that a visitor may have downloaded: VITVIZ_MAX_DOWNLOAD_GB; 0 forbids all downloads.

    By default 2 gigabytes where this machine alone is served, and none where others are: strangers would fill its disk.

    Raises:
        ModelError: if the variable is not a number.
    """
    return _gigabytes("VITVIZ_MAX_DOWNLOAD_GB", 0 if serves_others() else 2)


def all_downloads() -> float:
    """Bytes that visitors may have downloaded together, until the server ends: VITVIZ_MAX_DOWNLOADS_GB, 20 by default.

    Raises:
        ModelError: if the variable is not a number.
    """
    return _gigabytes("VITVIZ_MAX_DOWNLOADS_GB", 20)


def serves_others() -> bool:
    """Return True if others are served than those who sit at this machine: by its address, or by a proxy."""
    address = st.get_option("server.address")
    try:
        is_local = ipaddress.ip_address(address or "0.0.0.0").is_loopback
    except ValueError:  # a name
        is_local = address == "localhost"
    return not is_local or any(name in st.context.headers for name in ("X-Forwarded-For", "Forwarded"))


def _gigabytes(variable: str, usual: float) -> float:
    said = os.environ.get(variable, str(usual))
    try:
        return 1e9 * number(float(said), 0, math.inf, "The variable")
    except ValueError as error:
        raise ModelError(f"{variable} is {said!r}; set it to a number of gigabytes from 0.") from error


def megabytes(count: int) -> str:
    """Bytes in words: `"88 MB"` or `"1.2 GB"`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
