"""Parts that a file holds beside the weights of a ViT: its classifier, parts of the training, and others.

Names tell what a part is meant for, and shapes tell what it can do: only a part with a dimension as large as the
ViT's width can take a token or a feature. A part that could stand between the ViT and its classifier is never dropped
silently.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import ModelError

Modules = dict[str, dict[str, Tensor]]  # weights by the name of the module that holds them, and their names in it

_CLASSIFIER = {"classifier", "classification", "head", "heads", "fc", "linear", "logits", "probe"}
# Decoders of masked autoencoders, projectors and predictors of self-supervised learning, heads of pretext tasks.
_TRAINING = {"decoder", "projector", "projection", "predictor", "dino", "ibot", "mim", "ssl", "aux", "rotation"}
_TRAINING |= {"jigsaw", "mixup", "lm", "contrastive"}
# Never part of a forward pass, whatever its shape.
_STATE = {"optimizer", "optimizers", "optim", "opt", "scheduler", "schedulers", "scaler", "amp", "loss", "losses"}
_STATE |= {"criterion", "metric", "metrics", "rng", "callbacks", "loops", "hparams"}
# Counters, metrics and statistics, unless their shape could take a token.
_COUNTERS = {"acc", "accuracy", "auroc", "f", "train", "val", "valid", "validation", "test", "averaged", "updates"}
_COUNTERS |= {"step", "steps", "epoch", "epochs", "initted", "decay", "weight", "weights", "queue", "center", "centers"}
_COUNTERS |= {"confusion", "confmat", "hyper", "parameters"}
# What the keys of a ViT begin with, in timm's names.
_PARTS = {"patch_embed", "embeds", "cls_token", "reg_token", "dist_token", "pos_embed", "norm_pre", "blocks", "norm"}
_PARTS |= {"fc_norm", "head", "head_dist", "attn_pool", "storage_tokens", "local_cls_norm"}
_MASK_TOKEN = re.compile(r"mask(?:ed)?_(?:token|embed)s?")  # stands in for hidden patches while training


def is_state(name: str, module: Mapping[str, Tensor], width: int) -> bool:
    """Return whether a part is state of the training or a counter, which need not be mentioned."""
    words = _words(name)
    if words & _STATE or _MASK_TOKEN.fullmatch(name):
        return True
    return bool(words & _COUNTERS) and not can_take_tokens(module, width)


def is_of_training(name: str, module: Mapping[str, Tensor]) -> bool:
    """Return whether a part is used in training only, such as a decoder, by its name or as DINO's head by its keys."""
    is_dino = any(key.startswith("last_layer.") for key in module)  # Caron et al. 2021, section 3.1
    return is_dino or bool(_words(name) & _TRAINING) or "proj_head" in name.lower()


def is_classifier(name: str, module: Mapping[str, Tensor]) -> bool:
    """Return whether a part is called as classifiers are."""
    return bool(_words(name) & _CLASSIFIER) and not is_of_training(name, module)


def can_take_tokens(module: Mapping[str, Tensor], width: int) -> bool:
    """Return whether a part has a dimension as large as the ViT's width."""
    return any(width in value.shape for value in module.values())


def without_other_parts(own: dict[str, Tensor], width: int) -> tuple[dict[str, Tensor], set[str]]:
    """Drop what is saved among a ViT's own weights and is no part of it.

    Args:
        own: tensors by timm's names.
        width: width of the ViT's tokens.

    Returns:
        The weights; and names of dropped parts that have to be mentioned. A part that is not known and could take
        tokens stays, so that whoever checks the keys refuses it by name.
    """
    modules: Modules = {}
    for key, value in own.items():
        first, _, rest = key.partition(".")
        modules.setdefault(first, {})[rest] = value
    unknown = {name for name in modules if name not in _PARTS and not name.startswith(("rope", "rel_pos"))}
    silent = {name for name in unknown if is_state(name, modules[name], width)}
    said = {
        name
        for name in unknown - silent
        if is_of_training(name, modules[name]) or not can_take_tokens(modules[name], width)
    }
    return {key: value for key, value in own.items() if key.partition(".")[0] not in silent | said}, said


def classifier_beside(
    beside: Modules, own: Mapping[str, Tensor], width: int, file: str, *, has_pooler: bool
) -> tuple[str, dict[str, Tensor]] | None:
    """Find the linear classifier that is saved next to a ViT.

    Args:
        beside: parts in the module that holds the ViT.
        own: the ViT's weights by timm's names.
        width: width of the ViT's tokens.
        file: name of the file for messages.
        has_pooler: whether the ViT has a pooler, which a classifier may read instead of the class token.

    Returns:
        Name of the part, and its weights as `head.weight` and `head.bias`; None if the ViT has a classifier of its own
        or there is none.

    Raises:
        ModelError: if there is a classifier, and it is not known what it reads or computes.
    """
    named = [name for name, module in beside.items() if is_classifier(name, module)]
    between = [
        name
        for name, module in beside.items()
        if name not in named and not is_state(name, module, width) and can_take_tokens(module, width)
    ]
    if "head.weight" in own:
        outputs = len(own["head.weight"])
        readers = [
            name
            for name in [*named, *between]
            if any(value.ndim == 2 and value.shape[1] == outputs for value in beside[name].values())
        ]
        if readers and outputs != width:
            raise _unclear(readers, file)
        return None
    if not named:
        return None
    linear = one_linear(beside[named[0]])
    if len(named) > 1 or between or has_pooler or linear is None or linear[1]["weight"].shape[1] != width:
        raise _unclear([*named, *between, *(["a pooler"] if has_pooler else [])], file)
    return named[0], {f"head.{key}": value for key, value in linear[1].items()}


def with_one_linear_head(own: dict[str, Tensor], file: str) -> tuple[dict[str, Tensor], list[str]]:
    """Replace a classifier such as Sequential(Dropout, Linear) by its linear layer.

    Returns:
        The weights, with zeros for a bias that the layer does not have; and sentences on what was assumed.

    Raises:
        ModelError: if the classifier has more than one linear layer.
    """
    head = {key.removeprefix("head."): value for key, value in own.items() if key.startswith("head.")}
    if not head or head.keys() == {"weight", "bias"} or (head.keys() == {"weight"} and head["weight"].ndim != 2):
        return own, []
    linear = one_linear(head)
    if linear is None:
        raise ModelError(
            f"The classifier of {file!r} is not one linear map ({', '.join(sorted(head)[:4])}); load it with classes=0 "
            "to leave the classifier out."
        )
    stem, found = linear
    rest = {key: value for key, value in own.items() if not key.startswith("head.")}
    place = stem.rpartition(".")[2]
    note = f"What stands before the linear map of the classifier (head.{stem}) is taken for a dropout."
    return rest | {f"head.{key}": value for key, value in found.items()}, [note] if place.strip("0").isdecimal() else []


def one_linear(module: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]] | None:
    """Name, weight and bias of the one linear layer that a module consists of; None if there is more in it."""
    stems = {key.rpartition(".")[0] for key in module}
    found = {key.rpartition(".")[2]: value for key, value in module.items()}
    weight = found.get("weight")
    if len(stems) != 1 or not found.keys() <= {"weight", "bias"} or weight is None or weight.ndim != 2:
        return None
    bias = found.get("bias", torch.zeros(len(weight)))
    return (stems.pop(), {"weight": weight, "bias": bias}) if bias.shape == weight.shape[:1] else None


def _words(name: str) -> set[str]:
    return set(re.split(r"[_0-9]+", name.lower())) - {""}


def _unclear(names: list[str], file: str) -> ModelError:
    return ModelError(
        f"Beside the ViT {file!r} holds {', '.join(sorted(names)[:5])}, and nothing tells how a prediction comes of "
        "these; load it with classes=0 to see the ViT alone."
    )
