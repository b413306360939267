"""vitviz: look inside a Vision Transformer.

import vitviz

model = vitviz.load("dinov2-small")
trace = model.trace("cat.jpg")
trace.attention(layer=11, head=3, query=0)  # where the class token looks, float32 [key]
"""

import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .analysis import tokens
    from .analysis.attribution import ClassTarget, DifferenceTarget, explain, faithfulness, SimilarityTarget
    from .model.config import ViTConfig
    from .zoo.convert import from_timm
    from .errors import (
        ArgumentError,
        EditError,
        HookError,
        ImageError,
        ModelError,
        TraceError,
        VitvizError,
        VitvizWarning,
    )
    from .model.hooks import capture, edit
    from .images import Preprocessing
    from .model.edits import Copied, HeadOff, LayerOff, Patched, PatchOff, Temperature
    from .analysis.logit_lens import lens, patch_lens
    from .model.vit import VisionTransformer
    from .trace.saved import open_trace
    from .trace.trace import Trace
    from .zoo import load

__all__ = [
    "ArgumentError",
    "ClassTarget",
    "Copied",
    "DifferenceTarget",
    "EditError",
    "HeadOff",
    "HookError",
    "ImageError",
    "LayerOff",
    "ModelError",
    "PatchOff",
    "Patched",
    "Preprocessing",
    "SimilarityTarget",
    "Temperature",
    "Trace",
    "TraceError",
    "ViTConfig",
    "VisionTransformer",
    "VitvizError",
    "VitvizWarning",
    "capture",
    "edit",
    "explain",
    "faithfulness",
    "from_timm",
    "lens",
    "load",
    "open_trace",
    "patch_lens",
    "tokens",
]

# Where each name is defined that is not a module itself. PyTorch takes seconds to import: that waits until it is used.
_HOMES = {
    "ArgumentError": "errors",
    "ClassTarget": "attribution",
    "Copied": "interventions",
    "DifferenceTarget": "attribution",
    "EditError": "errors",
    "HeadOff": "interventions",
    "HookError": "errors",
    "ImageError": "errors",
    "LayerOff": "interventions",
    "ModelError": "errors",
    "PatchOff": "interventions",
    "Patched": "interventions",
    "Preprocessing": "images",
    "SimilarityTarget": "attribution",
    "Temperature": "interventions",
    "Trace": "trace",
    "TraceError": "errors",
    "ViTConfig": "config",
    "VisionTransformer": "model",
    "VitvizError": "errors",
    "VitvizWarning": "errors",
    "capture": "hooks",
    "edit": "hooks",
    "explain": "attribution",
    "faithfulness": "attribution",
    "from_timm": "convert",
    "lens": "logit_lens",
    "load": "zoo",
    "open_trace": "saved_traces",
    "patch_lens": "logit_lens",
}


def __getattr__(name: str) -> object:
    """A public name, or a module of the package, imported when it is first used."""
    if name in _HOMES:
        found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = found
        return found
    if name == "__version__":
        globals()[name] = version = _version()
        return version
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version that pyproject.toml states; of an installed package, which has no such file, its metadata has it."""
    stated = Path(__file__).parents[1] / "pyproject.toml"
    if stated.is_file():
        project = tomllib.loads(stated.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == __name__:
            return project["version"]
    from importlib.metadata import version

    return version(__name__)
