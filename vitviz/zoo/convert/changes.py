"""Remove wrappers from a timm model, and refuse any other change that affects its output.

The forward pass of vitviz reimplements that of timm's classes. Therefore the model may run only timm's code: no method
replaced on an object or a class, no hooks, and no other module in place of one of timm's.
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

# Identity in evaluation mode.
PASS_ON = {
    "Identity": "",
    "Dropout": "",
    "DropPath": "",
    "PatchDropout": "",
    "PatchDropoutWithIndices": "",
}
_DROPS = ("drop", "drop1", "drop2", "drop_path", "drop_path1", "drop_path2", "attn_drop", "proj_drop", "pos_drop")
_DROPS = (*_DROPS, "patch_drop", "head_drop", "mlp_drop")
_LINEAR = ("qkv", "q_proj", "k_proj", "v_proj", "fc1", "fc2", "fc1_g", "fc1_x", "in_proj", "out_proj", "q", "kv")
_LINEAR = (*_LINEAR, "attn_out_proj", "mlp_out_proj")
# Allowed classes by the name of the attribute; None: `shape` checks the class.
_ALLOWED: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(_DROPS, tuple(PASS_ON)),
    **dict.fromkeys(_LINEAR, ("Linear",)),
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
    "_forward_pre_hooks": "a forward pre-hook, as left by pruning, weight norm and spectral norm",
    "_state_dict_hooks": "a hook on its state_dict",
    "_state_dict_pre_hooks": "a hook on its state_dict",
}
THEIRS = ("timm.", "torch.nn.modules.")  # prefixes of the modules whose code may run
_COUNTS = ("relative_position_index", "num_batches_tracked")  # buffers that hold integers
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# Members that a subclass of a timm class may override without changing the forward pass.
_HARMLESS = {
    *("__init__", "__doc__", "__module__", "__annotations__", "__annotate_func__", "__annotations_cache__"),
    *("__dict__", "__weakref__", "__firstlineno__", "__static_attributes__", "__parameters__", "__orig_bases__"),
    *("__repr__", "extra_repr", "train", "init_weights", "fix_init_weight", "load_pretrained", "load_state_dict"),
    *("no_weight_decay", "group_matcher", "get_classifier", "reset_classifier", "set_grad_checkpointing"),
    *("set_input_size", "forward_intermediates", "get_intermediate_layers", "prune_intermediate_layers"),
}


def as_built(model: object) -> nn.Module:
    """Return a timm model without wrappers and adapters, and with a classifier that is a single layer.

    The original is not changed. Unchanged modules are shared with it.

    Raises:
        ModelError: if a part does not compute the same as timm's; the message names it.
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
                    f"{type(module).__name__} around this model has {_HOOKS[kind]}; pass the model inside it."
                )
        return _unwrapped(inner)
    if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
        return module
    parts = {name: _unwrapped(part) for name, part in module._modules.items()}
    return module if all(part is module._modules[name] for name, part in parts.items()) else _with(module, parts)


def _inside(module: object) -> object | None:
    """Model inside a wrapper of PyTorch, timm, Lightning or Accelerate; None if this is not a wrapper."""
    origin = type(module).__module__
    if not origin.startswith(_WRAPPERS) or origin.startswith("torch.nn.modules."):
        return None
    return next((part for name in _WRAPPED if isinstance(part := getattr(module, name, None), nn.Module)), None)


def _with(module: nn.Module, parts: dict[str, nn.Module]) -> nn.Module:
    """Return a shallow copy of a module with these submodules replaced."""
    changed = copy.copy(module)
    changed._modules = module._modules | parts
    return changed


def single_layer(head: nn.Module | None, name: str) -> nn.Module | None:
    """Return the only active layer of a Sequential classifier; other classifiers are returned as they are.

    Raises:
        ModelError: if more than one layer is not the identity in evaluation mode.
    """
    if not isinstance(head, nn.Sequential):
        return head

    def layers(module: nn.Module) -> Iterator[nn.Module]:
        for part in module:
            yield from layers(part) if type(part) is nn.Sequential else (part,)

    active = [part for part in layers(head) if type(part).__name__ not in PASS_ON]
    if not active:
        return nn.Identity()
    if len(active) > 1 or type(active[0]).__name__ != "Linear":
        names = ", ".join(type(part).__name__ for part in active)
        raise ModelError(
            f"{name} is a Sequential of {names}; only one Linear, with or without dropout, can be represented exactly."
        )
    return active[0]


def class_of(module: object, theirs: tuple[str, ...] = THEIRS) -> type:
    """Class whose code runs: for a subclass that overrides nothing relevant, its base class in timm or PyTorch.

    Args:
        module: the module.
        theirs: prefixes of the names of Python modules in which base classes are searched.
    """
    kind = type(module)
    base = _base_of(kind, theirs)
    return kind if base is None or _replaced(kind, base) else base


def _base_of(kind: type, theirs: tuple[str, ...] = THEIRS) -> type | None:
    return next((base for base in kind.__mro__ if base.__module__.startswith(theirs)), None)


def _replaced(kind: type, base: type) -> list[str]:
    """Members of a class that override members of its timm or PyTorch base class."""
    if kind is base:
        return []
    mine = kind.__mro__[: kind.__mro__.index(base)]
    known = {name for part in base.__mro__ if part is not object for name in vars(part)}
    return sorted(({name for part in mine for name in vars(part)} - _HARMLESS) & known)


def difference_from(kind: type, theirs: tuple[str, ...] = THEIRS) -> str:
    """Difference of a class from its base class, and advice, as the end of a sentence; "" if there is none."""
    origin, base = f"{kind.__module__}.", _base_of(kind, theirs)
    if origin.startswith("peft."):
        return ", an adapter; merge it first with model = model.merge_and_unload()"
    if origin.startswith(QUANTISERS):
        return ", which is quantised; pass the model in floating point, before quantisation"
    if base is None or base.__name__ == "Module" or not _replaced(kind, base):
        return ""
    return f", which overrides {', '.join(_replaced(kind, base))} of {base.__name__}"


def kind_of(module: object) -> str:
    """Name of `class_of(module)`."""
    return class_of(module).__name__


def refuse_changed_code(model: nn.Module, theirs: tuple[str, ...] = THEIRS) -> None:
    """Refuse hooks, replaced methods, parametrisations and classes that run code other than timm's and PyTorch's.

    Args:
        model: the model.
        theirs: prefixes of the names of the Python modules whose code may run.

    Raises:
        ModelError: if there is one; the message names it.
    """
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        raise ModelError("A global forward hook of PyTorch is active; remove it before converting the model.")
    for name, module in model.named_modules(remove_duplicate=False):
        _refuse_changed_code(module, name or type(model).__name__, theirs)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        _refuse_other_numbers(name, tensor, whole=name.rpartition(".")[2] in _COUNTS)


def refuse_other_parts(model: nn.Module) -> None:
    """Refuse additional modules, and modules of a class that timm does not use there.

    Raises:
        ModelError: if there is one; the message names it.
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
            f"{where} computes {names} by a parametrisation; remove it first with "
            "torch.nn.utils.parametrize.remove_parametrizations."
        )
    own = class_of(module, theirs)
    if not own.__module__.startswith(theirs):
        raise ModelError(_other_class(kind, where, theirs))
    for hooks, description in _HOOKS.items():
        if not all(_is_transformers_hook(hook) for hook in (getattr(module, hooks, None) or {}).values()):
            raise ModelError(f"{where} has {description}; remove it first, because it may change the model's output.")
    code = _code_of(own)
    for name in vars(module):
        if name in code:
            raise ModelError(f"{where} has its own {name} in place of that of its class; pass the model without it.")
    for name, method in code.items():
        if inspect.isfunction(method) and not _is_from(method, theirs) and _affects_forward(name, own):
            raise ModelError(f"{where} is {own.__name__}, whose {name} was replaced; restore the original one.")


def _affects_forward(name: str, kind: type) -> bool:
    """Return whether a method from other code can affect the forward pass: it replaces a method, or is called by name.

    Other libraries, such as transformers, may add methods with new names to PyTorch's classes.
    """
    if name.startswith("__") and name.endswith("__"):  # called by Python itself
        return True
    # Without the cache, which may hold the names used before the class was modified.
    if name in _names_used.__wrapped__(kind):
        return True
    written = map(_names_in_source, kind.__mro__[:-1])
    return any(names is None or name in names for names in written)


@lru_cache(maxsize=256)
def _names_in_source(kind: type) -> frozenset[str] | None:
    """Names defined in the source of a class, regardless of later changes; None if the source is not available."""
    try:
        table = symtable.symtable(textwrap.dedent(inspect.getsource(kind)), kind.__module__, "exec")
    except (OSError, TypeError, SyntaxError):
        return None
    body = next((part for part in table.get_children() if part.get_type() == "class"), None)
    return None if body is None else frozenset(name.get_name() for name in body.get_symbols() if name.is_assigned())


def _code_of(kind: type) -> dict[str, object]:
    """Methods and properties of a class and its base classes."""
    found = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    return {name: value for name, value in found.items() if callable(value) or hasattr(value, "__get__")}


@lru_cache(maxsize=256)
def _names_used(kind: type) -> frozenset[str]:
    """Names used in the forward pass of a class, including all methods that it calls."""
    used, pending = set(), [("forward", kind.__mro__)]
    while pending:
        name, bases = pending.pop()
        at = next((i for i, base in enumerate(bases) if name in vars(base)), None)
        method = None if at is None else inspect.unwrap(getattr(vars(bases[at])[name], "fget", vars(bases[at])[name]))
        if not inspect.isfunction(method):
            continue
        found = set(_names_in(method.__code__))
        pending += [(other, kind.__mro__) for other in found - used]
        if "super" in found:
            pending.append((name, bases[at + 1 :]))
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


def _is_transformers_hook(hook: object) -> bool:
    """Return whether a hook belongs to transformers, which uses hooks to record activations."""
    return str(getattr(inspect.unwrap(hook), "__module__", "")).startswith("transformers.")


def _other_class(kind: type, where: str, theirs: tuple[str, ...]) -> str:
    differs = difference_from(kind, theirs)
    rest = "" if ";" in differs else "; only unmodified modules of timm and PyTorch can be represented exactly"
    return f"{where} is {kind.__name__} of {kind.__module__}{differs}{rest}."


def _refuse_other_kind(parent: nn.Module, module: nn.Module, where: str, place: str) -> None:
    if place not in _ALLOWED:
        raise ModelError(f"{where} does not exist in timm's {kind_of(parent)}; remove it if it is not used.")
    if not isinstance(parent, nn.Sequential | nn.ModuleList) and place not in _names_used(class_of(parent)):
        if kind_of(module) not in PASS_ON:
            raise ModelError(f"{where} is not used by timm's {kind_of(parent)}; remove it first.")
        return
    known = _ALLOWED[place]
    if known is not None and kind_of(module) not in known:
        raise ModelError(f"{where} is {kind_of(module)}; only {', '.join(known)} can be represented exactly.")


def _refuse_other_numbers(name: str, tensor: Tensor, whole: bool) -> None:
    if tensor.is_meta:
        raise ModelError(f"{name} is on the meta device, so the model has no weights yet; load them first.")
    plain = type(tensor) in (nn.Parameter, Tensor) and tensor.layout is torch.strided and not tensor.is_quantized
    if not plain:
        raise ModelError(
            f"{name} is quantised, sparse or sharded ({type(tensor.data).__name__}); pass the original floating-point "
            "model."
        )
    if tensor.dtype not in _FLOATS and not whole:
        raise ModelError(
            f"{name} has the dtype {str(tensor.dtype).removeprefix('torch.')}; pass the original floating-point model."
        )
