"""Changes to a timm model after timm built it: wrappers are taken off, and all that changes its numbers is refused.

The forward pass here repeats that of timm's classes. So the code that runs must be theirs: no method replaced on an
object or a class, no hook, no module of another kind in a place where timm has its own.
"""

import copy
import inspect
import symtable
import textwrap
import types
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize

from ...errors import ModelError
from ...model.precision import QUANTISERS
from .adapters import without_adapter

# In evaluation mode these hand on what they get.
PASS_ON = {
    "Identity": "",
    "Dropout": "",
    "DropPath": "",
    "PatchDropout": "",
    "PatchDropoutWithIndices": "",
}
_DROPS = ("drop", "drop1", "drop2", "drop_path", "drop_path1", "drop_path2", "attn_drop", "proj_drop", "pos_drop")
_DROPS = (*_DROPS, "patch_drop", "head_drop", "mlp_drop")
_MAPS = ("qkv", "q_proj", "k_proj", "v_proj", "fc1", "fc2", "fc1_g", "fc1_x", "in_proj", "out_proj", "q", "kv")
_MAPS = (*_MAPS, "attn_out_proj", "mlp_out_proj")
# By the name of a place, what may stand there; None: whatever reads that place looks at its class.
_PLACES: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(_DROPS, tuple(PASS_ON)),
    **dict.fromkeys(_MAPS, ("Linear",)),
    **dict.fromkeys(("head", "head_dist"), ("Linear", "Identity")),
    **dict.fromkeys(("ls", "ls1", "ls2"), ("LayerScale", *PASS_ON)),
    **dict.fromkeys(("blocks", "attns", "ffns"), ("Sequential", "ModuleList")),
    **dict.fromkeys(("norm", "norm1", "norm2", "norm_pre", "fc_norm", "q_norm", "k_norm", "in_norm", "sub_norm")),
    **dict.fromkeys(
        ("attn", "mlp", "act", "mlp_act", "proj", "rope", "attn_pool", "patch_embed", "embeds", "backbone")
    ),
    **dict.fromkeys(("gate", "norm_input", "rel_pos_bias")),
}
_WRAPPED = ("_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "module", "ema")
_WRAPPERS = ("torch.", "timm.utils.", "lightning.", "lightning_fabric.", "pytorch_lightning.", "accelerate.")
_HOOKS = {
    "_forward_hooks": "a forward hook",
    "_forward_pre_hooks": "a forward pre-hook, as pruning, weight and spectral norm leave one",
    "_state_dict_hooks": "a hook on its state_dict",
    "_state_dict_pre_hooks": "a hook on its state_dict",
}
THEIRS = ("timm.", "torch.nn.modules.")  # where the code has to come from
_COUNTS = ("relative_position_index", "num_batches_tracked")  # buffers that hold whole numbers
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# Methods of a class derived from timm's that do not touch what the model computes.
_HARMLESS = {
    *("__init__", "__doc__", "__module__", "__annotations__", "__annotate_func__", "__annotations_cache__"),
    *("__dict__", "__weakref__", "__firstlineno__", "__static_attributes__", "__parameters__", "__orig_bases__"),
    *("__repr__", "extra_repr", "train", "init_weights", "fix_init_weight", "load_pretrained", "load_state_dict"),
    *("no_weight_decay", "group_matcher", "get_classifier", "reset_classifier", "set_grad_checkpointing"),
    *("set_input_size", "forward_intermediates", "get_intermediate_layers", "prune_intermediate_layers"),
}


def as_built(model: object) -> nn.Module:
    """A timm model without what training puts around it and its parts, and with a classifier that is one layer.

    The original is not changed; what stays the same is shared with it.

    Raises:
        ModelError: if a part computes something else than timm's; the message names it.
    """
    model = _unwrapped(model)
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        raise ModelError(
            f"{type(model).__name__} is not one of timm's plain Vision Transformers and cannot be represented exactly."
        )
    for name in ("head", "head_dist"):
        head = model._modules.get(name)
        if isinstance(head, nn.Sequential):
            _refuse_changed_code(head, name)
            model = _with(model, {name: single_layer(head, name)})
    return model


def _unwrapped(module: object) -> object:
    inner = _inside(module)
    if inner is None and isinstance(module, nn.Module):
        inner = without_adapter(module)
    if inner is not None:
        for kind in ("_forward_hooks", "_forward_pre_hooks"):
            if getattr(module, kind, None):
                raise ModelError(
                    f"{type(module).__name__} around this model has {_HOOKS[kind]}; give the model inside."
                )
        return _unwrapped(inner)
    if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
        return module
    parts = {name: _unwrapped(part) for name, part in module._modules.items()}
    return module if all(part is module._modules[name] for name, part in parts.items()) else _with(module, parts)


def _inside(module: object) -> object | None:
    """Model inside a wrapper of PyTorch, timm or Lightning; None if this is no wrapper."""
    origin = type(module).__module__
    if not origin.startswith(_WRAPPERS) or origin.startswith("torch.nn.modules."):
        return None
    return next((part for name in _WRAPPED if isinstance(part := getattr(module, name, None), nn.Module)), None)


def _with(module: nn.Module, parts: dict[str, nn.Module]) -> nn.Module:
    """The same module with other parts in these places."""
    changed = copy.copy(module)
    changed._modules = module._modules | parts
    return changed


def single_layer(head: nn.Module | None, name: str) -> nn.Module | None:
    """The one layer of a classifier whose other layers hand on what they get; itself if it is not several.

    Raises:
        ModelError: if more than one of them computes something.
    """
    if not isinstance(head, nn.Sequential):
        return head

    def layers(module: nn.Module) -> Iterator[nn.Module]:
        for part in module:
            yield from layers(part) if type(part) is nn.Sequential else (part,)

    kept = [part for part in layers(head) if type(part).__name__ not in PASS_ON]
    if not kept:
        return nn.Identity()
    if len(kept) > 1 or type(kept[0]).__name__ != "Linear":
        said = ", ".join(type(part).__name__ for part in kept)
        raise ModelError(f"{name} is a Sequential of {said}; only one Linear, and dropout, can be represented exactly.")
    return kept[0]


def class_of(module: object, theirs: tuple[str, ...] = THEIRS) -> type:
    """The class of timm or PyTorch whose code runs; for one derived from it, the one that it is derived from.

    A class that replaces something of it is its own class. `theirs` is what the names of their modules begin with.
    """
    kind = type(module)
    base = _base_of(kind, theirs)
    return kind if base is None or _replaced(kind, base) else base


def _base_of(kind: type, theirs: tuple[str, ...] = THEIRS) -> type | None:
    return next((base for base in kind.__mro__ if base.__module__.startswith(theirs)), None)


def _replaced(kind: type, base: type) -> list[str]:
    """Members of a class that replace members of the timm or PyTorch class that it is derived from."""
    if kind is base:
        return []
    mine = kind.__mro__[: kind.__mro__.index(base)]
    known = {name for part in base.__mro__ if part is not object for name in vars(part)}
    return sorted(({name for part in mine for name in vars(part)} - _HARMLESS) & known)


def what_differs(kind: type, theirs: tuple[str, ...] = THEIRS) -> str:
    """Difference of a class from timm's, and advice, as the rest of a sentence; empty if there is nothing to say."""
    origin, base = f"{kind.__module__}.", _base_of(kind, theirs)
    if origin.startswith("peft."):
        return ", an adapter; merge it first, as model = model.merge_and_unload() does"
    if origin.startswith(QUANTISERS):
        return ", which is quantised; give the model in floating point, as it was before"
    if base is None or base.__name__ == "Module" or not _replaced(kind, base):
        return ""
    return f", which has its own {', '.join(_replaced(kind, base))} in place of that of {base.__name__}"


def kind_of(module: object) -> str:
    """The name of `class_of`."""
    return class_of(module).__name__


def refuse_changed_code(model: nn.Module, theirs: tuple[str, ...] = THEIRS) -> None:
    """Refuse by name whatever makes a model run other code than that of timm's and PyTorch's classes.

    Args:
        model: the model.
        theirs: what the names of the modules begin with whose code may run.

    Raises:
        ModelError: if there is any.
    """
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        raise ModelError("A global forward hook of PyTorch is in force; remove it before the model is converted.")
    for name, module in model.named_modules(remove_duplicate=False):
        _refuse_changed_code(module, name or type(model).__name__, theirs)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        _refuse_other_numbers(name, tensor, whole=name.rpartition(".")[2] in _COUNTS)


def refuse_other_parts(model: nn.Module) -> None:
    """Refuse by name a module in a place where timm has none, or one of another kind.

    Raises:
        ModelError: if there is any.
    """
    for name, module in model.named_modules(remove_duplicate=False):
        parent, _, place = name.rpartition(".")
        if name and not place.isdigit() and "backbone" not in parent.split("."):
            _refuse_other_kind(model.get_submodule(parent), module, name, place)


def _refuse_changed_code(module: nn.Module, where: str, theirs: tuple[str, ...] = THEIRS) -> None:
    kind = type(module)
    if parametrize.is_parametrized(module):
        names = ", ".join(module.parametrizations)
        raise ModelError(
            f"{where} computes {names} by a parametrisation; make it plain first, with "
            "torch.nn.utils.parametrize.remove_parametrizations."
        )
    own = class_of(module, theirs)
    if not own.__module__.startswith(theirs):
        raise ModelError(_other_class(kind, where, theirs))
    for hooks, words in _HOOKS.items():
        if not all(_is_of_framework(hook) for hook in (getattr(module, hooks, None) or {}).values()):
            raise ModelError(f"{where} has {words}; remove it first, because it may change what the model computes.")
    code = _code_of(own)
    for name in vars(module):
        if name in code:
            raise ModelError(
                f"{where} has a {name} of its own in place of that of its class; give the model without it."
            )
    for name, method in code.items():
        if inspect.isfunction(method) and not _is_from(method, theirs) and _matters(name, own):
            raise ModelError(f"{where} is {own.__name__}, whose {name} was replaced; restore the one of its class.")


def _matters(name: str, kind: type) -> bool:
    """Return whether a foreign method can change what a class computes: it replaced one, or something calls it by name.

    Other libraries may add methods of new names to PyTorch's classes, as transformers does.
    """
    if name.startswith("__") and name.endswith("__"):  # called by Python itself
        return True
    # Not from its cache, which is of classes that nobody changed.
    if name in _names_used.__wrapped__(kind):
        return True
    written = map(_written, kind.__mro__[:-1])
    return any(names is None or name in names for names in written)


@lru_cache(maxsize=256)
def _written(kind: type) -> frozenset[str] | None:
    """The names that a class has in its source, whatever was done to it later; None if that is not known."""
    try:
        table = symtable.symtable(textwrap.dedent(inspect.getsource(kind)), kind.__module__, "exec")
    except (OSError, TypeError, SyntaxError):
        return None
    body = next((part for part in table.get_children() if part.get_type() == "class"), None)
    return None if body is None else frozenset(name.get_name() for name in body.get_symbols() if name.is_assigned())


def _code_of(kind: type) -> dict[str, object]:
    """The methods and properties of a class and of those it is derived from."""
    found = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    return {name: value for name, value in found.items() if callable(value) or hasattr(value, "__get__")}


@lru_cache(maxsize=256)
def _names_used(kind: type) -> frozenset[str]:
    """The names that the forward pass of a class uses, in all methods that it reaches."""
    used, open_ends = set(), [("forward", kind.__mro__)]
    while open_ends:
        name, bases = open_ends.pop()
        at = next((i for i, base in enumerate(bases) if name in vars(base)), None)
        method = None if at is None else inspect.unwrap(getattr(vars(bases[at])[name], "fget", vars(bases[at])[name]))
        if not inspect.isfunction(method):
            continue
        found = set(_names_in(method.__code__))
        open_ends += [(other, kind.__mro__) for other in found - used]
        if "super" in found:
            open_ends.append((name, bases[at + 1 :]))
        used |= found
    return frozenset(used)


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)
        elif isinstance(constant, str):  # for getattr
            yield constant


def _is_from(method: object, theirs: tuple[str, ...]) -> bool:
    origin = inspect.unwrap(method).__globals__.get("__name__", "")
    return origin.startswith(("torch.", *theirs)) or origin == "torch"


def _is_of_framework(hook: object) -> bool:
    """Return whether transformers left a hook, with which its models note what they computed."""
    return str(getattr(inspect.unwrap(hook), "__module__", "")).startswith("transformers.")


def _other_class(kind: type, where: str, theirs: tuple[str, ...]) -> str:
    differs = what_differs(kind, theirs)
    rest = "" if ";" in differs else "; only modules of timm and PyTorch as they are can be represented exactly"
    return f"{where} is {kind.__name__} of {kind.__module__}{differs}{rest}."


def _refuse_other_kind(parent: nn.Module, module: nn.Module, where: str, place: str) -> None:
    if place not in _PLACES:
        raise ModelError(
            f"{where} is a part that timm's {kind_of(parent)} does not have; remove it, if nothing uses it."
        )
    if not isinstance(parent, nn.Sequential | nn.ModuleList) and place not in _names_used(class_of(parent)):
        if kind_of(module) not in PASS_ON:
            raise ModelError(f"{where} is there, but timm's {kind_of(parent)} does not use it; take it away first.")
        return
    known = _PLACES[place]
    if known is not None and kind_of(module) not in known:
        raise ModelError(f"{where} is {kind_of(module)}; only {', '.join(known)} can be represented exactly.")


def _refuse_other_numbers(name: str, tensor: Tensor, whole: bool) -> None:
    if tensor.is_meta:
        raise ModelError(f"{name} is on the meta device, so the model has no weights yet; load them first.")
    plain = type(tensor) in (nn.Parameter, Tensor) and tensor.layout is torch.strided and not tensor.is_quantized
    if not plain:
        raise ModelError(
            f"{name} is quantised, sparse or sharded ({type(tensor.data).__name__}); give the model in floating point, "
            "as it was before."
        )
    if tensor.dtype not in _FLOATS and not whole:
        raise ModelError(
            f"{name} is {str(tensor.dtype).removeprefix('torch.')}, as when it is quantised; give the model in "
            "floating point, as it was before."
        )
