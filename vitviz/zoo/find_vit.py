"""Find the ViT among the weights of a file: its prefix, and the modules that are saved next to it.

Training code wraps a ViT in modules, keeps averaged copies of it, and saves losses, projectors and optimisers with it.
The ViT's own weights are kept, and weights not used in the forward pass are dropped. A linear classifier that is saved
next to the ViT is used if no other module can lie between the two. Notes report all assumptions and unused modules.
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
    with_single_linear_head,
    without_other_parts,
)
from .checkpoint import check_whole
from .folders import adapter_error
from .layouts import DINOV2, LAYOUTS, TIMM, Layout, renamed

# Wrapper modules that do not affect the forward pass, as they occur in keys.
_TRANSPARENT = re.compile(
    r"(?:(?<=\.)|^)(?:module|_orig_mod|_forward_module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
_ADAPTER = re.compile(
    r"(?:.*\.)?(?:(?:lora|loha|lokr|oft|boft|vera|hada|hra|ia3|fourierft|vblora|dora|adalora)_\w+|base_layer"
    r"|prompt_embeddings|modules_to_save)(?:\..*)?"
)
# Keys whose shapes contain embed_dim, in all layouts.
_TOKENS = ("pos_embed", "position_embeddings", "pos_embedding", "cls_token", "class_token")
_PROJECTIONS = ("patch_embed.proj.weight", "embeds.proj.weight", "projection.weight", "conv_proj.weight")
_AVERAGED = re.compile(r"(?:.*_)?(?:ema|swa|averaged)(?:_.*)?", re.IGNORECASE)  # copies that training scripts evaluate


@dataclass(frozen=True)
class FoundViT:
    """The weights of a ViT that was found in a file.

    Attributes:
        layout: naming scheme of the file; None if unknown.
        weights: tensors by timm's names, or by the file's own names if the layout is unknown.
        notes: notes on choices, assumptions and unused modules.
    """

    layout: Layout | None
    weights: dict[str, Tensor] = field(repr=False)
    notes: tuple[str, ...] = ()


def find_vit(
    weights: Mapping[str, Tensor], file: str, prefix: str | None = None, *, without_head: bool = False
) -> FoundViT:
    """Find the ViT among the weights of a file and convert its keys to timm's names.

    Args:
        weights: all tensors of the file by key.
        file: name of the file for messages.
        prefix: common prefix of the keys of the ViT to load; None if the file holds a single ViT.
        without_head: True to leave out the classifier.

    Raises:
        ModelError: if the file holds several ViTs, an adapter, two keys with the same timm name, or a classifier whose
            input is not known; the message gives advice.
    """
    if any(_ADAPTER.fullmatch(key) for key in weights):
        raise adapter_error(file)
    weights = _without_wrappers(weights, file)
    layouts = _find_prefixes(weights)
    if not layouts:
        inner = _innermost(weights, prefix)
        check_whole(inner, file)
        return FoundViT(None, inner)
    vit_prefix, notes = _choose_prefix(layouts, prefix, file)
    layout = layouts[vit_prefix]
    own = {key.removeprefix(vit_prefix): value for key, value in weights.items() if key.startswith(vit_prefix)}
    beside, elsewhere = _beside(weights, vit_prefix, [other for other in layouts if other != vit_prefix])
    embed_dim = _embed_dim(own)
    has_pooler = any(key.startswith("pooler.") for key in own)
    if not without_head and not has_pooler and _is_in_frameworks_classifier(vit_prefix, layout, beside, embed_dim):
        for name in layout.classifiers:
            own |= {f"{name}.{key}": value for key, value in beside.pop(name, {}).items()}
    own = renamed(own, layout, file)
    own, left_out = without_other_parts(own, embed_dim)
    if without_head:
        own = {key: value for key, value in own.items() if not key.startswith(("head.", "head_dist."))}
    else:
        own, notes_on_head = with_single_linear_head(own, file)
        notes += notes_on_head
        adopted = classifier_beside(beside, own, embed_dim, file, has_pooler=has_pooler)
        if adopted:
            name, head = adopted
            own |= head
            del beside[name]
            notes.append(f"The linear layer {name!r} beside the ViT is used as its classifier.")
    for name, module in {**elsewhere, **beside}.items():
        if not is_state(name, module, embed_dim) and not (without_head and is_classifier(name, module)):
            left_out.add(name)
    if left_out:
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        notes.append(f"The file also holds {', '.join(sorted(left_out)[:5])}{more}, which is not used.")
    check_whole(own, file)
    return FoundViT(layout, own, tuple(notes))


def _embed_dim(own: Mapping[str, Tensor]) -> int:
    """Dimension of a ViT's tokens, from its position embedding, class token or patch projection; 0 if unknown."""
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
                f"{file!r} holds {name!r} twice, once inside a training wrapper; save the weights of a single model."
            )
        found[name] = value
    return found


def _find_prefixes(weights: Mapping[str, Tensor]) -> dict[str, Layout]:
    """Find the prefix of each ViT in the file, and the layout of its keys."""
    layouts: dict[str, Layout] = {}
    for layout in LAYOUTS:
        found = {match["outer"] for key in weights if (match := re.fullmatch(layout.signature, key))}
        # DINOv2's published layout is timm's, except for a few names.
        layouts |= {
            vit_prefix: layout for vit_prefix in found if layout is not DINOV2 or layouts.get(vit_prefix) is TIMM
        }
    return layouts


def _is_in_frameworks_classifier(vit_prefix: str, layout: Layout, beside: Modules, embed_dim: int) -> bool:
    """Return whether the ViT is part of the framework's classifier model, so that the classifier's input is known."""
    named = any(vit_prefix.endswith(f"{name}.") for name in layout.names)
    return named and all(
        name in layout.classifiers or is_state(name, module, embed_dim) or not can_take_tokens(module, embed_dim)
        for name, module in beside.items()
    )


def _choose_prefix(layouts: Mapping[str, Layout], prefix: str | None, file: str) -> tuple[str, list[str]]:
    """Prefix of the ViT to load, and a note if the file holds others."""
    if prefix is not None:
        part = f".{_TRANSPARENT.sub('', prefix.strip('.') + '.')}".replace("..", ".")
        found = (
            [vit_prefix for vit_prefix in layouts if f".{vit_prefix}".endswith(part)]
            if part != "."
            else [""] * ("" in layouts)
        )
        found = found or [vit_prefix for vit_prefix in layouts if f".{vit_prefix}".startswith(part)]
        if len(found) != 1:
            raise ModelError(
                f"{file!r} holds no ViT under {shown(prefix)}, but under {_listed(layouts)}; pass one of these."
            )
        return found[0], []
    if len(layouts) == 1:
        return next(iter(layouts)), []
    names = _distinct(layouts)
    best = [vit_prefix for vit_prefix, name in names.items() if _AVERAGED.fullmatch(name)]
    if set(names.values()) == {"student", "teacher"}:  # self-distillation (DINO, iBOT) publishes its teacher
        best = [vit_prefix for vit_prefix, name in names.items() if name == "teacher"]
    if len(best) != 1:
        raise ModelError(
            f"{file!r} holds several models, under {_listed(layouts)}; choose one with prefix={sorted(layouts)[0]!r}."
        )
    other = next(vit_prefix for vit_prefix in sorted(layouts) if vit_prefix != best[0])
    choice = f"The file holds several models, under {_listed(layouts)}, and {names[best[0]]!r} was chosen"
    return best[0], [f"{choice}; to load another, pass prefix={other!r}."]


def _listed(layouts: Mapping[str, Layout]) -> str:
    more = f" and {len(layouts) - 5} more" if len(layouts) > 5 else ""
    return ", ".join(repr(vit_prefix) for vit_prefix in sorted(layouts)[:5]) + more


def _distinct(layouts: Mapping[str, Layout]) -> dict[str, str]:
    """First part of each prefix that differs from the other prefixes."""
    parts = {vit_prefix: vit_prefix.split(".") for vit_prefix in layouts}
    shared = 0
    while len({part[shared] if shared < len(part) else None for part in parts.values()}) == 1:
        shared += 1
    return {vit_prefix: part[shared] if shared < len(part) else "" for vit_prefix, part in parts.items()}


def _innermost(weights: dict[str, Tensor], prefix: str | None) -> dict[str, Tensor]:
    """Weights of an unknown layout, without the common prefix of their keys."""
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


def _beside(weights: Mapping[str, Tensor], vit_prefix: str, others: list[str]) -> tuple[Modules, Modules]:
    """Submodules of the module that contains the ViT, and modules elsewhere in the file, without other ViTs."""
    inside = vit_prefix.split(".")[:-1]
    beside: Modules = defaultdict(dict)
    elsewhere: Modules = defaultdict(dict)
    for key, value in weights.items():
        if key.startswith((vit_prefix, *others)) or not vit_prefix:
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
