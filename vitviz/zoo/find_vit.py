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

from torch import Tensor

from ..errors import ModelError
from ..errors.arguments import shown
from .beside import (
    Modules,
    can_take_tokens,
    classifier_beside,
    is_classifier,
    is_state,
    with_one_linear_head,
    without_other_parts,
)
from .checkpoint import check_whole
from .folders import adapter_error
from .layouts import DINOV2, LAYOUTS, TIMM, Layout, renamed

# Modules that training puts around others without changing what they compute, as keys name them.
_TRANSPARENT = re.compile(
    r"(?:(?<=\.)|^)(?:module|_orig_mod|_forward_module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
_ADAPTER = re.compile(
    r"(?:.*\.)?(?:(?:lora|loha|lokr|oft|boft|vera|hada|hra|ia3|fourierft|vblora|dora|adalora)_\w+|base_layer"
    r"|prompt_embeddings|modules_to_save)(?:\..*)?"
)
# Keys that tell a ViT's width, in all layouts.
_TOKENS = ("pos_embed", "position_embeddings", "pos_embedding", "cls_token", "class_token")
_PROJECTIONS = ("patch_embed.proj.weight", "embeds.proj.weight", "projection.weight", "conv_proj.weight")
_AVERAGED = re.compile(r"(?:.*_)?(?:ema|swa|averaged)(?:_.*)?", re.IGNORECASE)  # copies that scripts evaluate


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
    beside, elsewhere = _beside(weights, place, [other for other in places if other != place])
    width = _width(own)
    has_pooler = any(key.startswith("pooler.") for key in own)
    if not without_head and not has_pooler and _is_in_frameworks_classifier(place, layout, beside, width):
        for name in layout.classifiers:
            own |= {f"{name}.{key}": value for key, value in beside.pop(name, {}).items()}
    own = renamed(own, layout, file)
    own, left_out = without_other_parts(own, width)
    if without_head:
        own = {key: value for key, value in own.items() if not key.startswith(("head.", "head_dist."))}
    else:
        own, notes_on_head = with_one_linear_head(own, file)
        notes += notes_on_head
        adopted = classifier_beside(beside, own, width, file, has_pooler=has_pooler)
        if adopted:
            name, head = adopted
            own |= head
            del beside[name]
            notes.append(f"The linear map {name!r} beside the ViT is taken for its classifier.")
    for name, module in {**elsewhere, **beside}.items():
        if not is_state(name, module, width) and not (without_head and is_classifier(name, module)):
            left_out.add(name)
    if left_out:
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        notes.append(f"The file also holds {', '.join(sorted(left_out)[:5])}{more}, which is not used.")
    check_whole(own, file)
    return FoundViT(layout, own, tuple(notes))


def _width(own: Mapping[str, Tensor]) -> int:
    """Width of a ViT's tokens, from its positions or else its projection; 0 if no weight tells it."""
    for ends, axis in ((_TOKENS, -1), (_PROJECTIONS, 0)):
        found = next((value for key, value in own.items() if key.endswith(ends) and value.ndim), None)
        if found is not None:
            return found.shape[axis]
    return 0


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


def _is_in_frameworks_classifier(place: str, layout: Layout, beside: Modules, width: int) -> bool:
    """Return whether the framework itself put the ViT into a classifier, so that the classifier's input is known."""
    named = any(place.endswith(f"{name}.") for name in layout.names)
    return named and all(
        name in layout.classifiers or is_state(name, module, width) or not can_take_tokens(module, width)
        for name, module in beside.items()
    )


def _chosen(places: Mapping[str, Layout], prefix: str | None, file: str) -> tuple[str, list[str]]:
    """Prefix of the ViT to load, and a note if the file holds others."""
    if prefix is not None:
        wanted = f".{_TRANSPARENT.sub('', prefix.strip('.') + '.')}".replace("..", ".")
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
    if set(names.values()) == {"student", "teacher"}:  # self-distillation (DINO, iBOT) publishes its teacher
        best = [place for place, name in names.items() if name == "teacher"]
    if len(best) != 1:
        raise ModelError(
            f"{file!r} holds several models, under {_listed(places)}; choose one with prefix={sorted(places)[0]!r}."
        )
    other = next(place for place in sorted(places) if place != best[0])
    what = f"The file holds several models, under {_listed(places)}: this is {names[best[0]]!r}"
    return best[0], [f"{what}; to take another, pass prefix={other!r}."]


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
        first = {key.partition(".")[0] for key in weights}
        state = {name for name in first if is_state(name, {}, 0)}
        weights = {key: value for key, value in weights.items() if key.partition(".")[0] not in state} or weights
        first = {key.partition(".")[0] for key in weights}
        if len(first) > 1 or not all("." in key for key in weights):
            return weights
        weights = {key.partition(".")[2]: value for key, value in weights.items()}


def _beside(weights: Mapping[str, Tensor], place: str, others: list[str]) -> tuple[Modules, Modules]:
    """Parts of the module that holds this ViT, and parts that are elsewhere in the file; other ViTs are left out."""
    inside = place.split(".")[:-1]
    beside: Modules = defaultdict(dict)
    elsewhere: Modules = defaultdict(dict)
    for key, value in weights.items():
        if key.startswith((place, *others)) or not place:
            continue
        parts = key.split(".")
        shared = 0
        while shared < min(len(inside), len(parts) - 1) and inside[shared] == parts[shared]:
            shared += 1
        start = ".".join(parts[: shared + 1])
        if not any(other.startswith(f"{start}.") for other in others):
            modules = beside if shared == len(inside) - 1 else elsewhere
            modules[parts[shared]][".".join(parts[shared + 1 :])] = value
    return dict(beside), dict(elsewhere)
