"""Merge peft adapters, such as LoRA, into the weights of a copy."""

import copy

from torch import nn

from ...errors import ModelError


def without_adapter(module: nn.Module) -> nn.Module | None:
    """Return the module that peft wrapped, with the active adapters merged; None if peft did not wrap it.

    Hu et al. 2021, "LoRA", https://arxiv.org/abs/2106.09685, section 4.1: W + BA in place of W. The given module is not
    changed. The weights of the copy are float32, so that merging adds no rounding error beyond that of the adapter.

    Raises:
        ModelError: if the adapter cannot be merged.
    """
    origin = f"{type(module).__module__}."
    if not origin.startswith("peft."):
        return None
    parts = module._modules
    tuner = parts.get("base_model")
    if tuner is not None:  # a PeftModel; only those in peft.tuners change nothing but layers
        return tuner if type(tuner).__module__.startswith("peft.tuners.") else None
    if origin.startswith("peft.tuners.") and "model" in parts:
        return parts["model"]
    if isinstance(parts.get("modules_to_save"), nn.ModuleDict):
        return _active_copy(module)
    if "base_layer" in parts and hasattr(module, "merge"):
        return _merged(module)
    return None


def _active_copy(wrapper: nn.Module) -> nn.Module | None:
    """Return the trained copy of a module, or the original if the adapters are disabled."""
    if getattr(wrapper, "disable_adapters", False):
        return wrapper._modules["original_module"]
    active = getattr(wrapper, "active_adapters", None) or [wrapper.active_adapter]
    active = [name for name in active if name in wrapper.modules_to_save]
    if not active:
        return wrapper._modules["original_module"]
    return wrapper.modules_to_save[active[0]] if len(active) == 1 else None


def _merged(module: nn.Module) -> nn.Module:
    layer = copy.deepcopy(module).float()
    try:
        if getattr(layer, "disable_adapters", False):
            if getattr(layer, "merged", False):
                layer.unmerge()
        elif hasattr(layer, "unload_and_optionally_merge_module"):  # for layers in which more than the weight changes
            return layer.unload_and_optionally_merge_module(merge=True, safe_merge=True, adapter_names=None)
        else:
            layer.merge(safe_merge=True)
    except (ValueError, RuntimeError, NotImplementedError, TypeError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ModelError(
            f"The adapter {type(module).__name__} cannot be merged ({reason}); merge it with peft first, or pass the "
            "model without it."
        ) from error
    return layer._modules["base_layer"]
