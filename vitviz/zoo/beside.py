"""Other modules saved in the same file as a ViT: its classifier, modules used in training, and others.

The purpose of a module is inferred from its name, and its possible inputs from its shapes: only a module with a
dimension equal to embed_dim can take a token or a feature as input. A module that may lie between the ViT and its
classifier is never dropped without a note.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import ModelError

Modules = dict[str, dict[str, Tensor]]  # weights by module name, then by their name in the module

_CLASSIFIER = {"classifier", "classification", "head", "heads", "fc", "linear", "logits", "probe"}
# Decoders of masked autoencoders, projectors and predictors of self-supervised learning, heads of pretext tasks.
_TRAINING = {"decoder", "projector", "projection", "predictor", "dino", "ibot", "mim", "ssl", "aux", "rotation"}
_TRAINING |= {"jigsaw", "mixup", "lm", "contrastive"}
# Never part of a forward pass, whatever its shape.
_STATE = {"optimizer", "optimizers", "optim", "opt", "scheduler", "schedulers", "scaler", "amp", "loss", "losses"}
_STATE |= {"criterion", "metric", "metrics", "rng", "callbacks", "loops", "hparams"}
# Counters, metrics and statistics, unless a dimension equals embed_dim.
_COUNTERS = {"acc", "accuracy", "auroc", "f", "train", "val", "valid", "validation", "test", "averaged", "updates"}
_COUNTERS |= {"step", "steps", "epoch", "epochs", "initted", "decay", "weight", "weights", "queue", "center", "centers"}
_COUNTERS |= {"confusion", "confmat", "hyper", "parameters"}
# First part of the keys of a ViT in timm's names.
_PARTS = {"patch_embed", "embeds", "cls_token", "reg_token", "dist_token", "pos_embed", "norm_pre", "blocks", "norm"}
_PARTS |= {"fc_norm", "head", "head_dist", "attn_pool", "storage_tokens", "local_cls_norm"}
_MASK_TOKEN = re.compile(r"mask(?:ed)?_(?:token|embed)s?")  # replaces masked patches in training


def is_state(name: str, module: Mapping[str, Tensor], embed_dim: int) -> bool:
    """Return whether a module is training state or a counter, which needs no note."""
    parts = _name_parts(name)
    if parts & _STATE or _MASK_TOKEN.fullmatch(name):
        return True
    return bool(parts & _COUNTERS) and not can_take_tokens(module, embed_dim)


def is_training_part(name: str, module: Mapping[str, Tensor]) -> bool:
    """Return whether a module is used in training only: a decoder or the like by its name, DINO's head by its keys."""
    is_dino = any(key.startswith("last_layer.") for key in module)  # Caron et al. 2021, section 3.1
    return is_dino or bool(_name_parts(name) & _TRAINING) or "proj_head" in name.lower()


def is_classifier(name: str, module: Mapping[str, Tensor]) -> bool:
    """Return whether a module has the name of a classifier."""
    return bool(_name_parts(name) & _CLASSIFIER) and not is_training_part(name, module)


def can_take_tokens(module: Mapping[str, Tensor], embed_dim: int) -> bool:
    """Return whether a module has a weight with a dimension equal to `embed_dim`."""
    return any(embed_dim in value.shape for value in module.values())


def without_other_parts(own: dict[str, Tensor], embed_dim: int) -> tuple[dict[str, Tensor], set[str]]:
    """Drop modules that are saved among a ViT's own weights but are not part of it.

    Args:
        own: tensors by timm's names.
        embed_dim: embed_dim of the ViT.

    Returns:
        The remaining weights; and the names of dropped modules to report in a note. An unknown module that can take
        tokens is kept, so that the later check of the keys refuses it by name.
    """
    modules: Modules = {}
    for key, value in own.items():
        first, _, rest = key.partition(".")
        modules.setdefault(first, {})[rest] = value
    unknown = {name for name in modules if name not in _PARTS and not name.startswith(("rope", "rel_pos"))}
    silent = {name for name in unknown if is_state(name, modules[name], embed_dim)}
    reported = {
        name
        for name in unknown - silent
        if is_training_part(name, modules[name]) or not can_take_tokens(modules[name], embed_dim)
    }
    return {key: value for key, value in own.items() if key.partition(".")[0] not in silent | reported}, reported


def classifier_beside(
    beside: Modules, own: Mapping[str, Tensor], embed_dim: int, file: str, *, has_pooler: bool
) -> tuple[str, dict[str, Tensor]] | None:
    """Find the linear classifier that is saved next to a ViT.

    Args:
        beside: other submodules of the module that contains the ViT.
        own: the ViT's weights by timm's names.
        embed_dim: embed_dim of the ViT.
        file: name of the file for messages.
        has_pooler: True if the ViT has a pooler, whose output a classifier may read instead of the class token.

    Returns:
        Name of the classifier, and its weights as `head.weight` and `head.bias`; None if the ViT has its own
        classifier, or there is none.

    Raises:
        ModelError: if there is a classifier whose input or computation is not known.
    """
    named = [name for name, module in beside.items() if is_classifier(name, module)]
    between = [
        name
        for name, module in beside.items()
        if name not in named and not is_state(name, module, embed_dim) and can_take_tokens(module, embed_dim)
    ]
    if "head.weight" in own:
        outputs = len(own["head.weight"])
        readers = [
            name
            for name in [*named, *between]
            if any(value.ndim == 2 and value.shape[1] == outputs for value in beside[name].values())
        ]
        if readers and outputs != embed_dim:
            raise _unclear(readers, file)
        return None
    if not named:
        return None
    linear = single_linear(beside[named[0]])
    if len(named) > 1 or between or has_pooler or linear is None or linear[1]["weight"].shape[1] != embed_dim:
        raise _unclear([*named, *between, *(["a pooler"] if has_pooler else [])], file)
    return named[0], {f"head.{key}": value for key, value in linear[1].items()}


def with_single_linear_head(own: dict[str, Tensor], file: str) -> tuple[dict[str, Tensor], list[str]]:
    """Replace a classifier such as Sequential(Dropout, Linear) by its linear layer.

    Returns:
        The weights, with zeros for a missing bias; and notes on assumptions.

    Raises:
        ModelError: if the classifier has more than one linear layer.
    """
    head = {key.removeprefix("head."): value for key, value in own.items() if key.startswith("head.")}
    if not head or head.keys() == {"weight", "bias"} or (head.keys() == {"weight"} and head["weight"].ndim != 2):
        return own, []
    linear = single_linear(head)
    if linear is None:
        raise ModelError(
            f"The classifier of {file!r} is not a single linear layer ({', '.join(sorted(head)[:4])}); load it with "
            "classes=0 to leave the classifier out."
        )
    stem, found = linear
    rest = {key: value for key, value in own.items() if not key.startswith("head.")}
    index = stem.rpartition(".")[2]
    note = f"The layers before the linear layer of the classifier (head.{stem}) are treated as dropout."
    return rest | {f"head.{key}": value for key, value in found.items()}, [note] if index.strip("0").isdecimal() else []


def single_linear(module: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]] | None:
    """Name, weight and bias of a module's only linear layer; None if the module has other weights."""
    stems = {key.rpartition(".")[0] for key in module}
    found = {key.rpartition(".")[2]: value for key, value in module.items()}
    weight = found.get("weight")
    if len(stems) != 1 or not found.keys() <= {"weight", "bias"} or weight is None or weight.ndim != 2:
        return None
    bias = found.get("bias", torch.zeros(len(weight)))
    return (stems.pop(), {"weight": weight, "bias": bias}) if bias.shape == weight.shape[:1] else None


def _name_parts(name: str) -> set[str]:
    return set(re.split(r"[_0-9]+", name.lower())) - {""}


def _unclear(names: list[str], file: str) -> ModelError:
    return ModelError(
        f"{file!r} holds {', '.join(sorted(names)[:5])} beside the ViT, and it is not known how these compute a "
        "prediction; load it with classes=0 to use the ViT alone."
    )
