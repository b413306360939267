"""Vision Transformer with tracing, the class of all loaded models."""

from __future__ import annotations

from collections.abc import Sequence

from ..images import Size
from ..model.edits import Edit
from ..model.vit import ViT
from .inputs import ImageSource
from .passes import trace
from .trace import Trace


class VisionTransformer(ViT):
    """Plain Vision Transformer with the method `trace`; arguments as in `vitviz.model.vit.ViT`."""

    def trace(
        self,
        image: ImageSource,
        *,
        size: Size | None = None,
        fit: str | None = None,
        record: tuple[str, ...] = (),
        edits: Sequence[Edit] = (),
    ) -> Trace:
        """Run the model on one image and record the forward pass; see `vitviz.trace.passes.trace`."""
        return trace(self, image, size=size, fit=fit, record=record, edits=edits)
