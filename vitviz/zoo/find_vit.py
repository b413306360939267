"""Find the ViT among the weights of a file: its prefix, and the modules that are saved next to it.

Training code wraps a ViT in modules, keeps averaged copies of it, and saves losses, projectors and optimisers with it.
The ViT's own weights are kept, and weights that no forward pass uses are dropped. A linear classifier that is saved
next to the ViT is used if no other module can lie between the two. Notes report everything that was assumed or left
out.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..arguments import shown
from ..errors import ModelError
from .checkpoint import adapter_error, check_whole
from .layouts import DINOV2, LAYOUTS, TIMM, Layout, renamed

# Modules that training puts around others without changing what they compute, as keys name them.
_TRANSPARENT = re.compile(
    r"(?:(?<=\.)|^)(?:module|_orig_mod|_forward_module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
_ADAPTER = re.compile(r"(?:.*\.)?(?:lora_[A-Za-z_]+|ia3_l|hada_w\d_[ab]|base_layer)(?:\..*)?")
# What no forward pass uses: the state of optimisers, losses, metrics, counters.
_BOOKKEEPING = re.compile(
    r"(?:.*_)?(?:optim(?:izer)?s?|schedulers?|scaler|amp|loss(?:es)?|criterion|metrics?|acc(?:uracy)?\d?|auroc|f1"
    r"|confusion_matrix|averaged|updates|steps?|epochs?|initted|decay|weights?|queue|prototypes?|centers?|rng|callbacks?"
    r"|loops|train|val|valid|validation|test)(?:_.*)?|mask_token",
    re.IGNORECASE,
)
# What only training uses: decoders of masked autoencoders, projectors and predictors of self-supervised learning.
_TRAINING_ONLY = re.compile(
    r"(?:.*_)?(?:decoder|projector|projection|proj_head|predictor|dino_head|ibot_head|lm_head)(?:_.*)?", re.IGNORECASE
)
_CLASSIFIER = re.compile(r"(?:.*_)?(?:classifier|classification|heads?|fc|linear|logits?)\d?(?:_.*)?", re.IGNORECASE)
_AVERAGED = re.compile(r"(?:.*_)?(?:ema|swa|averaged)(?:_.*)?", re.IGNORECASE)  # copies that scripts evaluate

Modules = dict[str, dict[str, Tensor]]  # weights by the name of the module that holds them, and their names in it


@dataclass(frozen=True)
class FoundViT:
    """The weights of a ViT that was found in a file.

    Attributes:
        layout: the naming scheme of the file; None if it is not a known one.
        weights: tensors by timm's names, or by the file's own names if the layout is not known.
        notes: sentences that say what was chosen, assumed or left out.
    """

    layout: Layout | None
    weights: dict[str, Tensor] = field(repr=False)
    notes: tuple[str, ...] = ()


def find_vit(
    weights: Mapping[str, Tensor], file: str, prefix: str | None = None, *, without_head: bool = False
) -> FoundViT:
    """Find the ViT among the weights of a file and rename its weights as timm names them.

    Args:
        weights: all tensors of the file by key.
        file: name of the file for messages.
        prefix: common beginning of all keys of the ViT to load; None if the file holds one ViT only.
        without_head: leave the classifier out.

    Raises:
        ModelError: if the file holds several ViTs, an adapter, two keys that get the same name, or a classifier whose
            input is not known; the message says what to do.
    """
    if any(_ADAPTER.fullmatch(key) for key in weights):
        raise adapter_error(file)
    weights = _without_wrappers(weights, file)
    places = _places(weights)
    if not places:
        inner = _innermost(weights, prefix)
        check_whole(inner, file)
        return FoundViT(None, inner)
    place, notes = _chosen(places, prefix, file)
    layout = places[place]
    own = {key.removeprefix(place): value for key, value in weights.items() if key.startswith(place)}
    own, left_out = _without_training_parts(own)
    beside = _beside(weights, place, [other for other in places if other != place])
    if _is_in_frameworks_classifier(place, layout, beside) and not without_head:
        for name in layout.classifiers:
            own |= {f"{name}.{key}": value for key, value in beside.pop(name, {}).items()}
    own = renamed(own, layout, file)
    if without_head:
        own = {key: value for key, value in own.items() if not key.startswith(("head.", "head_dist."))}
    else:
        own, notes_on_head = _with_one_linear_head(own, file)
        adopted = _classifier_beside(beside, own, file)
        notes += notes_on_head
        if adopted:
            own |= adopted
            name = next(name for name in beside if _CLASSIFIER.fullmatch(name))
            del beside[name]
            notes.append(f"The linear map {name!r} beside the ViT is taken for its classifier.")
    left_out |= {name for name in beside if not without_head or not _CLASSIFIER.fullmatch(name)}
    if left_out:
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        notes.append(f"The file also holds {', '.join(sorted(left_out)[:5])}{more}, which is no part of the ViT.")
    check_whole(own, file)
    return FoundViT(layout, own, tuple(notes))


def _without_wrappers(weights: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for key, value in weights.items():
        name = _TRANSPARENT.sub("", key)
        if name in found:
            raise ModelError(
                f"{file!r} holds {name!r} twice, once inside a wrapper of training; save the weights of one model."
            )
        found[name] = value
    return found


def _places(weights: Mapping[str, Tensor]) -> dict[str, Layout]:
    """Prefix of each ViT in the file, with the layout of its keys."""
    places: dict[str, Layout] = {}
    for layout in LAYOUTS:
        found = {match["outer"] for key in weights if (match := re.fullmatch(layout.signature, key))}
        # What is DINOv2's own differs from timm's in a few names only.
        places |= {place: layout for place in found if layout is not DINOV2 or places.get(place) is TIMM}
    return places


def _is_in_frameworks_classifier(place: str, layout: Layout, beside: Mapping[str, Any]) -> bool:
    """Return whether the framework itself put the ViT into a classifier, so that the classifier's input is known."""
    named = any(place.endswith(f"{name}.") for name in layout.names)
    return named and all(name in layout.classifiers or _TRAINING_ONLY.fullmatch(name) for name in beside)


def _chosen(places: Mapping[str, Layout], prefix: str | None, file: str) -> tuple[str, list[str]]:
    """Prefix of the ViT to load, and a note if the file holds others."""
    if prefix is not None:
        wanted = f".{prefix.strip('.')}.".replace("..", ".")
        found = [place for place in places if f".{place}".endswith(wanted)] if wanted != "." else [""] * ("" in places)
        found = found or [place for place in places if f".{place}".startswith(wanted)]
        if len(found) != 1:
            raise ModelError(
                f"{file!r} holds no ViT under {shown(prefix)}, but under {_listed(places)}; pass one of these."
            )
        return found[0], []
    if len(places) == 1:
        return next(iter(places)), []
    names = _distinct(places)
    best = [place for place, name in names.items() if _AVERAGED.fullmatch(name)]
    if set(names.values()) == {
        "student",
        "teacher",
    }:  # self-distillation (DINO, iBOT): its teacher is what is published
        best = [place for place, name in names.items() if name == "teacher"]
    if len(best) != 1:
        raise ModelError(
            f"{file!r} holds several models, under {_listed(places)}; choose one with prefix={sorted(places)[0]!r}."
        )
    return best[0], [f"The file holds several models, under {_listed(places)}; this is {names[best[0]]!r}."]


def _listed(places: Mapping[str, Layout]) -> str:
    more = f" and {len(places) - 5} more" if len(places) > 5 else ""
    return ", ".join(repr(place) for place in sorted(places)[:5]) + more


def _distinct(places: Mapping[str, Layout]) -> dict[str, str]:
    """First part of each prefix that differs from the other prefixes."""
    parts = {place: place.split(".") for place in places}
    shared = 0
    while len({part[shared] if shared < len(part) else None for part in parts.values()}) == 1:
        shared += 1
    return {place: part[shared] if shared < len(part) else "" for place, part in parts.items()}


def _innermost(weights: dict[str, Tensor], prefix: str | None) -> dict[str, Tensor]:
    """Weights of an unknown layout, without the common beginning of their keys."""
    if prefix is not None:
        start = f"{prefix.strip('.')}." if prefix.strip(".") else ""
        weights = {key.removeprefix(start): value for key, value in weights.items() if key.startswith(start)} or weights
    while True:
        weights = {
            key: value for key, value in weights.items() if not _BOOKKEEPING.fullmatch(key.partition(".")[0])
        } or weights
        first = {key.partition(".")[0] for key in weights}
        if len(first) > 1 or not all("." in key for key in weights):
            return weights
        weights = {key.partition(".")[2]: value for key, value in weights.items()}


def _without_training_parts(own: dict[str, Tensor]) -> tuple[dict[str, Tensor], set[str]]:
    """Weights without training state and without parts that only training uses; and the names of these parts."""
    first = {key.partition(".")[0] for key in own}
    dropped = {name for name in first if _BOOKKEEPING.fullmatch(name) or _TRAINING_ONLY.fullmatch(name)}
    kept = {key: value for key, value in own.items() if key.partition(".")[0] not in dropped}
    return kept, {name for name in dropped if not _BOOKKEEPING.fullmatch(name)}


def _beside(weights: Mapping[str, Tensor], place: str, others: list[str]) -> Modules:
    """Modules of the file outside of this ViT, without the state of the training and without other ViTs."""
    inside = place.split(".")[:-1]
    modules: Modules = defaultdict(dict)
    for key, value in weights.items():
        if key.startswith(place) or any(key.startswith(other) for other in others):
            continue
        parts = key.split(".")
        shared = 0
        while shared < min(len(inside), len(parts) - 1) and inside[shared] == parts[shared]:
            shared += 1
        start = ".".join(parts[: shared + 1])
        is_of_another = any(other.startswith(f"{start}.") for other in others)
        if not is_of_another and not _BOOKKEEPING.fullmatch(parts[shared]):
            modules[parts[shared]][".".join(parts[shared + 1 :])] = value
    return dict(modules)


def _linear(module: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]] | None:
    """Name, weight and bias of the one linear layer that a module consists of; None if there is more in it."""
    stems = {key.rpartition(".")[0] for key in module}
    stem = stems.pop() if len(stems) == 1 else None
    if stem is None:
        return None
    found = {key.rpartition(".")[2]: value for key, value in module.items()}
    weight, bias = found.get("weight"), found.get("bias")
    if not found.keys() <= {"weight", "bias"} or weight is None or weight.ndim != 2:
        return None
    return (stem, found) if bias is None or bias.shape == weight.shape[:1] else None


def _with_one_linear_head(own: dict[str, Tensor], file: str) -> tuple[dict[str, Tensor], list[str]]:
    """Weights in which a classifier such as Sequential(Dropout, Linear) is replaced by its linear layer.

    Raises:
        ModelError: if the classifier has more than one linear layer.
    """
    head = {key.removeprefix("head."): value for key, value in own.items() if key.startswith("head.")}
    if head.keys() <= {"weight", "bias"}:
        return own, []
    linear = _linear(head)
    if linear is None:
        raise ModelError(
            f"The classifier of {file!r} is not one linear map ({', '.join(sorted(head)[:4])}); load it with classes=0 "
            "to leave the classifier out."
        )
    stem, found = linear
    rest = {key: value for key, value in own.items() if not key.startswith("head.")}
    first = stem.split(".")[-1] in ("", "0") or not stem.split(".")[-1].isdecimal()
    note = f"What stands before the linear map of the classifier (head.{stem}) is taken for a dropout."
    return rest | {f"head.{key}": value for key, value in found.items()}, [] if first else [note]


def _classifier_beside(beside: Modules, own: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """Linear classifier that is saved next to a ViT without one; empty if there is none.

    Raises:
        ModelError: if there is a classifier whose input or computation is not known.
    """
    named = {name: module for name, module in beside.items() if _CLASSIFIER.fullmatch(name) and not _is_dino(module)}
    if not named:
        return {}
    others = [name for name in beside if name not in named and not _TRAINING_ONLY.fullmatch(name)]
    linear = _linear(next(iter(named.values()))) if len(named) == 1 and not others else None
    embed = own.get("patch_embed.proj.weight")
    reads_feature = linear is not None and embed is not None and linear[1]["weight"].shape[1] == len(embed)
    if not reads_feature or "head.weight" in own:
        raise ModelError(
            f"Beside the ViT {file!r} holds {', '.join(sorted([*named, *others])[:5])}, and nothing tells how a "
            "prediction comes of these; load it with classes=0 to see the ViT alone."
        )
    return {f"head.{key}": value for key, value in linear[1].items()}


def _is_dino(module: Mapping[str, Tensor]) -> bool:
    """Return whether this is the projection head of DINO, used in training only (Caron et al. 2021, section 3.1)."""
    return any(key.startswith("last_layer.") for key in module)
