"""Pretrained models of timm: which there are, what is known of them without their weights, and how they are loaded.

timm takes seconds to import, so nothing here imports it before it is needed.
"""

import difflib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from ..errors import ModelError
from ..errors.arguments import LONGEST, at_least, shown, typed
from ..errors.progress import Progress
from ..trace.vision_transformer import VisionTransformer
from .checkpoint import read_weights
from .convert import config_of
from .convert.labels import is_embedding, labels_of
from .curated import CURATED, TimmEntry
from .hub import Source, refuse_out_of_reach, weights_of
from .in_memory import from_timm
from .shipped import SHIPPED

if TYPE_CHECKING:
    from torch import nn

MODULES = ("vision_transformer", "deit", "beit", "eva", "vision_transformer_hybrid", "naflexvit")  # timm's plain ViTs


@lru_cache(maxsize=1)
def tags() -> tuple[str, ...]:
    """The names of all pretrained plain ViTs of timm, sorted."""
    import timm

    return tuple(sorted({tag for module in MODULES for tag in timm.list_models(module=module, pretrained=True)}))


def is_tag(name: str) -> bool:
    """Return whether timm has pretrained weights of this name, with or without a tag."""
    import timm

    return timm.is_model_pretrained(name)


@typed
def search(text: str, limit: int = 20) -> tuple[str, ...]:
    """Names of pretrained models that contain all words of a text, in any order and case; the curated ones first.

    Args:
        text: for example `"dinov2 small"`; an empty one finds everything.
        limit: of how many names to return at most.

    Raises:
        ArgumentError: if the limit is below 0.
    """
    limit = at_least(limit, 0, "limit")
    names = (*CURATED, *(tag for tag in tags() if tag not in CURATED))
    titled = {tag: f"{tag} {CURATED[tag].title.lower()}" if tag in CURATED else tag for tag in names}
    has_words = _finder(text)
    return tuple([tag for tag in names if has_words(titled[tag])][:limit])


def _finder(text: str) -> Callable[[str], bool]:
    """Return a function that tells whether a name contains all words of a text.

    A number is found where it stands alone: the 2 of "siglip 2" in "v2", but not in "224".
    """
    words = text.lower().split()
    patterns = [re.compile(rf"(?<!\d){word}(?!\d)" if word.isdecimal() else re.escape(word)) for word in words]
    return lambda name: all(pattern.search(name) for pattern in patterns)


@typed
@lru_cache(maxsize=64)
def why_refused(text: str) -> str | None:
    """Why a pretrained model of timm that a text names is none of those that `search` finds.

    Args:
        text: for example `"swin"`.

    Returns:
        A sentence on the first of these models; None if timm has no such model.
    """
    import timm

    plain = set(timm.list_models(module=MODULES))
    found = filter(_finder(text), timm.list_models(pretrained=True))
    found = [name for name in found if name.partition(".")[0] not in plain]
    if not found or not text.split():
        return None
    first = text.lower().split()[0]
    name = min(found, key=lambda name: (not name.startswith(first), name))
    try:
        config_of(_without_weights(name))
    except ModelError as error:
        return str(error)
    return None


@typed
@lru_cache(maxsize=512)
def facts(name: str) -> TimmEntry:
    """What is known of a pretrained model of timm without its weights.

    Raises:
        ModelError: if there is no such model.
    """
    if name in CURATED:
        return CURATED[name]
    return measured(name)


def measured(name: str) -> TimmEntry:
    """The facts of a pretrained model as timm has them, without title and summary; see `facts`."""
    pretrained = pretrained_config(name)
    model = _without_weights(name)
    embed = getattr(model, "patch_embed", None) or getattr(model, "embeds", None)
    outputs = pretrained["num_classes"] or 0
    embeds = is_embedding(pretrained, outputs)
    return TimmEntry(
        name=name,
        title=name,
        summary="",
        hub_id=source_of(name).repository,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        patch=int(embed.feat_ratio(as_scalar=True)),
        image_size=tuple(pretrained["input_size"][1:]),
        classes=0 if embeds else outputs,
        embedding=outputs if embeds else 0,
        licence=pretrained.get("license") or "",
    )


def source_of(name: str) -> Source:
    """Where the weights of a pretrained model of timm are published.

    Raises:
        ModelError: if there is no such model.
    """
    if name in CURATED:  # without importing timm
        return Source(CURATED[name].hub_id)
    pretrained = pretrained_config(name)
    repository, _, revision = (pretrained.get("hf_hub_id") or "").partition("@")
    if not repository:
        return Source("", url=pretrained["url"])
    file = pretrained.get("hf_hub_filename") or "pytorch_model.bin"
    safe = {"pytorch_model.bin": "model.safetensors", "open_clip_pytorch_model.bin": "open_clip_model.safetensors"}
    return Source(repository, tuple(dict.fromkeys((safe.get(file, file), file))), revision or None)


def pretrained_config(name: str) -> dict[str, Any]:
    """The pretrained configuration that timm has of a model: of its default weights if the name has no tag.

    Raises:
        ModelError: if there is no such model (the message gives the three nearest), or none with weights.
    """
    import timm

    architecture = name.partition(".")[0]
    if name not in timm.list_pretrained() and (name != architecture or not timm.is_model(name)):
        raise unknown(name)
    pretrained = timm.get_pretrained_cfg(name)
    if pretrained is None or not pretrained.has_weights:
        raise ModelError(
            f"Nobody has published weights of {name!r}; build it with timm, load your own, and use vitviz.from_timm."
        )
    return pretrained.to_dict()


def unknown(name: str) -> ModelError:
    """What is said of a name that nothing has; only models that can be loaded here are near."""
    architectures = sorted({tag.partition(".")[0] for tag in tags()})
    nearest = difflib.get_close_matches(name[:LONGEST], [*SHIPPED, *architectures, *tags()], n=3, cutoff=0)
    return ModelError(f"There is no model {shown(name)}; the nearest names are {', '.join(nearest)}.")


def load_pretrained(name: str, progress: Progress | None = None) -> VisionTransformer:
    """Load a pretrained model of timm, downloaded if it is not on this disk.

    Raises:
        ModelError: if there is no such model, it cannot be represented exactly, or its weights cannot be had.
    """
    if name in CURATED:
        refuse_out_of_reach(name, source_of(name))  # before seconds go into importing timm
    import timm

    config_of(_without_weights(name))  # refused before anything is downloaded
    path = weights_of(name, source_of(name), progress)
    # timm's own loader reads safetensors; whatever is a pickle is read by ours, which never runs one.
    safe = path.suffix == ".safetensors"
    stored = {"file": str(path)} if safe else {"state_dict": read_weights(path)}
    try:
        model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={**stored, "custom_load": False})
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"The weights of {name!r} on this disk are damaged; delete them from the cache and load it again."
        ) from error
    ours = from_timm(model)
    ours.name = name
    ours.labels = labels_of(pretrained_config(name))
    return ours


def _without_weights(name: str) -> "nn.Module":
    import timm

    pretrained_config(name)  # or there is no such model

    with torch.device("meta"):  # shapes only
        return timm.create_model(name)
