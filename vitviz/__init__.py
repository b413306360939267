"""vitviz: look inside a Vision Transformer.

import vitviz

model = vitviz.load("dinov2-small")
trace = model.trace("cat.jpg")
trace.attention(layer=11, head=3, query=0)  # where the class token looks, float32 [key]
"""

import ast
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the public names, listed once: what follows is also read by `_homes`
    from .analysis import tokens
    from .analysis.ablation import sweep_heads, sweep_layers, sweep_patches
    from .analysis.attribution import ClassTarget, DifferenceTarget, SimilarityTarget, explain, faithfulness
    from .analysis.logit_lens import lens, patch_lens
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
    from .images import Preprocessing
    from .model.config import ViTConfig
    from .model.edits import (
        ActivationCopy,
        ActivationPatch,
        HeadAblation,
        KeyMask,
        PatchAblation,
        SublayerAblation,
        Temperature,
    )
    from .model.hooks import capture, edit
    from .trace.saved import open_trace
    from .trace.trace import Trace
    from .trace.vision_transformer import VisionTransformer
    from .zoo import load
    from .zoo.in_memory import from_timm


def _homes() -> dict[str, str]:
    """Modules of the public names. PyTorch takes seconds to import: that waits until a name is used."""
    (block,) = (node for node in ast.parse(Path(__file__).read_text("utf-8")).body if isinstance(node, ast.If))
    return {alias.name: statement.module for statement in block.body for alias in statement.names}


_HOMES = _homes()
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """A public name, or a module of the package, imported when it is first used."""
    if name in _HOMES:
        home = import_module(f".{_HOMES[name]}", __name__)
        found = getattr(home, name, None) or import_module(f".{name}", home.__name__)
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
