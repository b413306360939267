"""vitviz: look inside a Vision Transformer.

import vitviz

model = vitviz.load("dinov2-small")
trace = model.trace("cat.jpg")
trace.attention(layer=11, head=3, query=0)  # where the class token looks, float32 [key]
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import tokens
    from .attribution import explain
    from .config import ViTConfig
    from .convert import from_timm
    from .errors import ArgumentError, EditError, HookError, ImageError, ModelError, VitvizError, VitvizWarning
    from .hooks import capture, edit
    from .logit_lens import lens, patch_lens
    from .model import VisionTransformer
    from .trace import Trace
    from .zoo import load

__all__ = [
    "ArgumentError",
    "EditError",
    "HookError",
    "ImageError",
    "ModelError",
    "Trace",
    "ViTConfig",
    "VisionTransformer",
    "VitvizError",
    "VitvizWarning",
    "capture",
    "edit",
    "explain",
    "from_timm",
    "lens",
    "load",
    "patch_lens",
    "tokens",
]

# Where each name is defined that is not a module itself. PyTorch takes seconds to import: that waits until it is used.
_HOMES = {
    "ArgumentError": "errors",
    "EditError": "errors",
    "HookError": "errors",
    "ImageError": "errors",
    "ModelError": "errors",
    "Trace": "trace",
    "ViTConfig": "config",
    "VisionTransformer": "model",
    "VitvizError": "errors",
    "VitvizWarning": "errors",
    "capture": "hooks",
    "edit": "hooks",
    "explain": "attribution",
    "from_timm": "convert",
    "lens": "logit_lens",
    "load": "zoo",
    "patch_lens": "logit_lens",
}


def __getattr__(name: str) -> object:
    """A public name, or a module of the package, imported when it is first used."""
    if name in _HOMES:
        found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = found
        return found
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
