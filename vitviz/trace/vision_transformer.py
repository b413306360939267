"""Vision Transformer with tracing, the class of all loaded models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..images import Size
from ..model.edits import Edit
from ..model.vit import ViT
from .inputs import ImageSource
from .passes import trace, trace_batch
from .trace import Trace


class VisionTransformer(ViT):
    """Plain Vision Transformer with the methods `trace` and `trace_batch`; arguments as in `vitviz.model.vit.ViT`.

    Attributes:
        linear_head: digest of the linear head that replaces the classifier, see `vitviz.LinearHead`; empty for none.
    """

    linear_head: str = ""

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

    def trace_batch(
        self,
        images: Iterable[ImageSource],
        *,
        size: Size | None = None,
        fit: str | None = None,
        record: tuple[str, ...] = (),
        edits: Sequence[Edit] = (),
    ) -> list[Trace]:
        """Run the model on several images of one size in one forward pass; see `vitviz.trace.passes.trace_batch`."""
        return trace_batch(self, images, size=size, fit=fit, record=record, edits=edits)
