"""vitviz: explore the inside of Vision Transformers.

import vitviz

model = vitviz.load("dinov2-small")
trace = model.trace("cat.jpg")
trace.attention(layer=11, head=3, query=0)  # attention of the class token, float32 [key]
"""

import ast
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the public names, listed only here; `_public_modules` parses this block
    from .analysis import tokens
    from .analysis.ablation import sweep_heads, sweep_layers, sweep_patches
    from .analysis.attribution import ClassTarget, DifferenceTarget, SimilarityTarget, explain, faithfulness
    from .analysis.classifier import fit_head
    from .analysis.comparison import cka, compare, match
    from .analysis.logit_lens import lens, patch_lens
    from .analysis.scan import Scan, open_scan, scan
    from .analysis.training import first_local_head, training_curves
    from .errors import (
        ArgumentError,
        EditError,
        HookError,
        ImageError,
        ModelError,
        ScanError,
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
    from .trace.batches import trace_batch
    from .trace.saved import open_trace
    from .trace.trace import Trace
    from .trace.vision_transformer import VisionTransformer
    from .viz import callbacks
    from .zoo import load
    from .zoo.heads import LinearHead, open_head
    from .zoo.in_memory import from_timm
    from .zoo.run import Run, load_run


def _public_modules() -> dict[str, str]:
    """Modules of the public names, for lazy imports, because PyTorch takes seconds to import."""
    (block,) = (node for node in ast.parse(Path(__file__).read_text("utf-8")).body if isinstance(node, ast.If))
    return {alias.name: statement.module for statement in block.body for alias in statement.names}


_MODULES = _public_modules()
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    """Import a public name or a module of the package on first use."""
    if name in _MODULES:
        module = import_module(f".{_MODULES[name]}", __name__)
        value = getattr(module, name, None) or import_module(f".{name}", module.__name__)
        globals()[name] = value
        return value
    if name == "__version__":
        globals()[name] = version = _version()
        return version
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Version from pyproject.toml, or from the metadata of an installed package."""
    project_file = Path(__file__).parents[1] / "pyproject.toml"
    if project_file.is_file():
        project = tomllib.loads(project_file.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == __name__:
            return project["version"]
    from importlib.metadata import version

    return version(__name__)
