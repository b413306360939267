"""vitviz: look inside a Vision Transformer.

import vitviz

model = vitviz.load("dinov2-small")
trace = model.trace("cat.jpg")
trace.attention(layer=11, head=3, query=0)  # where the class token looks, float32 [key]
"""

from .attribution import explain
from .convert import from_timm
from .errors import HookError, ImageError, ModelError, VitvizError
from .hooks import capture, edit
from .model import VisionTransformer, ViTConfig
from .trace import Trace
from .zoo import load

__all__ = [
    "HookError",
    "ImageError",
    "ModelError",
    "Trace",
    "ViTConfig",
    "VisionTransformer",
    "VitvizError",
    "capture",
    "edit",
    "explain",
    "from_timm",
    "load",
]
