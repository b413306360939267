"""List, describe and load the pretrained models of timm.

timm takes seconds to import, so it is imported only where it is needed.
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
from .hub import Source, refuse_unreachable, weights_of
from .in_memory import from_timm
from .shipped import SHIPPED

if TYPE_CHECKING:
    from torch import nn

MODULES = ("vision_transformer", "deit", "beit", "eva", "vision_transformer_hybrid", "naflexvit")  # timm's plain ViTs


@lru_cache(maxsize=1)
def tags() -> tuple[str, ...]:
    """Names of all pretrained plain ViTs of timm, sorted."""
    import timm

    return tuple(sorted({tag for module in MODULES for tag in timm.list_models(module=module, pretrained=True)}))


def is_tag(name: str) -> bool:
    """Return whether timm has pretrained weights for this name, with or without a tag."""
    import timm

    return timm.is_model_pretrained(name)


@typed
def search(text: str, limit: int = 20) -> tuple[str, ...]:
    """Find the pretrained models whose names contain all words of a text, in any order and case; curated models first.

    Args:
        text: words to search for, such as `"dinov2 small"`; "" finds all models.
        limit: maximum number of names.

    Raises:
        ArgumentError: if the limit is below 0.
    """
    limit = at_least(limit, 0, "limit")
    names = (*CURATED, *(tag for tag in tags() if tag not in CURATED))
    titled = {tag: f"{tag} {CURATED[tag].title.lower()}" if tag in CURATED else tag for tag in names}
    matches = _finder(text)
    return tuple([tag for tag in names if matches(titled[tag])][:limit])


def _finder(text: str) -> Callable[[str], bool]:
    """Return a function that tests whether a name contains all words of a text.

    Numbers match whole numbers only: the 2 of "siglip 2" matches "v2", but not "224".
    """
    words = text.lower().split()
    patterns = [re.compile(rf"(?<!\d){word}(?!\d)" if word.isdecimal() else re.escape(word)) for word in words]
    return lambda name: all(pattern.search(name) for pattern in patterns)


@typed
@lru_cache(maxsize=64)
def why_refused(text: str) -> str | None:
    """Explain why `search` does not find a pretrained timm model.

    Args:
        text: words to search for, such as `"swin"`.

    Returns:
        The reason for the first matching model; None if timm has no such model.
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
    """Describe a pretrained timm model without loading its weights.

    Raises:
        ModelError: if there is no such model.
    """
    if name in CURATED:
        return CURATED[name]
    return measure(name)


def measure(name: str) -> TimmEntry:
    """Describe a pretrained model from timm's data, without title and summary; see `facts`."""
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
        patch_size=int(embed.feat_ratio(as_scalar=True)),
        image_size=tuple(pretrained["input_size"][1:]),
        num_classes=0 if embeds else outputs,
        embedding_dim=outputs if embeds else 0,
        licence=pretrained.get("license") or "",
    )


def source_of(name: str) -> Source:
    """Location of the weights of a pretrained timm model.

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
    """Pretrained configuration of a timm model; for a name without a tag, that of the default weights.

    Raises:
        ModelError: if there is no such model (the message gives the three nearest), or it has no published weights.
    """
    import timm

    architecture = name.partition(".")[0]
    if name not in timm.list_pretrained() and (name != architecture or not timm.is_model(name)):
        raise unknown_model(name)
    pretrained = timm.get_pretrained_cfg(name)
    if pretrained is None or not pretrained.has_weights:
        raise ModelError(
            f"There are no published weights of {name!r}; build the model with timm, load your own weights, and use "
            "vitviz.from_timm."
        )
    return pretrained.to_dict()


def unknown_model(name: str) -> ModelError:
    """Error for an unknown name, with the nearest names of models that can be loaded."""
    architectures = sorted({tag.partition(".")[0] for tag in tags()})
    nearest = difflib.get_close_matches(name[:LONGEST], [*SHIPPED, *architectures, *tags()], n=3, cutoff=0)
    return ModelError(f"There is no model {shown(name)}; the nearest names are {', '.join(nearest)}.")


def load_pretrained(name: str, progress: Progress | None = None) -> VisionTransformer:
    """Load a pretrained timm model; download it if it is not on disk.

    Raises:
        ModelError: if there is no such model, it cannot be represented exactly, or its weights are not available.
    """
    if name in CURATED:
        refuse_unreachable(name, source_of(name))  # before timm is imported, which takes seconds
    import timm

    config_of(_without_weights(name))  # refuse the model before downloading it
    path = weights_of(name, source_of(name), progress)
    # timm loads safetensors. Pickles are loaded by `read_weights`, which runs no code in them.
    safe = path.suffix == ".safetensors"
    stored = {"file": str(path)} if safe else {"state_dict": read_weights(path)}
    try:
        model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={**stored, "custom_load": False})
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"The weights of {name!r} on this disk are damaged; delete them from the cache and load the model again."
        ) from error
    ours = from_timm(model)
    ours.name = name
    ours.labels = labels_of(pretrained_config(name))
    return ours


def _without_weights(name: str) -> "nn.Module":
    import timm

    pretrained_config(name)  # raises a ModelError for an unknown model
    with torch.device("meta"):  # shapes only
        return timm.create_model(name)
