"""Command `vitviz attention`: attention maps of a query or key token."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import VitvizError
from ..model.config import POOL, ViTConfig
from ..notation.marks import MEAN, head_in_name, layer_in_name, percent
from ..notation.view import Direction, Scale, View, scales, strongest_patch
from ..trace.trace import Trace
from ..trace.vision_transformer import VisionTransformer
from ..viz import export
from ..viz.colour import on_neutral
from .parse import parse_head, parse_layer, parse_query
from .result import Result, TracedImage, prediction_facts, prediction_values


@dataclass(frozen=True)
class Attention:
    """Settings of `vitviz attention`, as typed.

    Attributes:
        layer: layer from 1, or `"pool"`; None for the last layer.
        head: head from 1, or `"mean"`.
        query: selected token or patches; None for the class token, or the centre patch of a model without one.
        direction: see `vitviz.notation.view.View`.
        scale: see `vitviz.notation.view.View`.
    """

    layer: str | None
    head: str
    query: str | None
    direction: Direction
    scale: Scale

    @property
    def marks(self) -> list[str]:
        """Settings that differ from the defaults, for the name of a report."""
        layer = layer_in_name(self.layer) if self.layer else ""
        head = head_in_name(self.head) if self.head != MEAN else ""
        query = export.query_in_name(self.query) if self.query else ""
        return [layer, head, query, self.direction if self.direction != "from" else "", *self._scale]

    @property
    def _scale(self) -> list[str]:
        return [self.scale] if self.scale != "relative" else []

    def check(self, model: VisionTransformer) -> None:
        """Raise a `VitvizError` if the model lacks the layer or the head."""
        parse_head(self.head, parse_layer(self.layer, model.config), model.config)

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """Return no hook points, because every trace records queries and keys."""
        return ()

    def stem(self, name: str, config: ViTConfig) -> str:
        """Return the file name without extension for an image, as `vitviz.viz.export.file_stem` does.

        The centre patch, the default without a class token, is not part of the name.
        """
        layer = parse_layer(self.layer, config)
        pool = layer == config.depth
        token = None if pool else self.query or ("cls" if config.class_token else None)
        at = (POOL if pool else layer + 1, parse_head(self.head, layer, config))
        return "-".join(
            [export.stem(name, *at, token and export.query_in_name(token), self.direction == "to"), *self._scale]
        )

    def view(self, trace: Trace) -> View:
        """Return the view of a trace.

        Raises:
            VitvizError: if the trace has no such token, or the scale does not apply to signed weights.
        """
        layer = parse_layer(self.layer, trace.config)
        head, query = parse_head(self.head, layer, trace.config), parse_query(self.query, trace)
        if self.scale not in scales(trace):
            raise VitvizError(f"Scale {self.scale!r} does not apply to signed attention weights; use relative or raw.")
        return View(layer, head, query, self.direction, self.scale)

    def run(self, image: TracedImage) -> Result:
        """Compute the attention map of one image.

        Raises:
            VitvizError: see `view`.
        """
        trace, view = image.trace, self.view(image.trace)
        about = export.metadata(trace, view, image.path.name, trace.model.name, image.fit) | dict(image.origin)
        weights = view.weights(trace)
        strongest = strongest_patch(trace, weights)
        weight = float(weights[strongest])
        row, column = divmod(strongest - trace.prefix, trace.grid[1])
        patch = [row + 1, column + 1]
        prediction = prediction_facts(trace)
        return Result(
            facts=about | prediction | {"strongest": {"patch": patch, "weight": weight}},
            caption=f"{view.label(trace)}: {view.direction_label(trace)}. Strongest patch: ({row + 1}, {column + 1}), "
            f"{percent(weight)}.",
            values=prediction_values(prediction) | {"Strongest weight (%)": 100 * weight},
            about=about,
            text=export.caption(trace, view, about),
            colours=on_neutral(view.scale, signed=trace.config.differential),
            draw=lambda: export.overlay_picture(trace, view, image.picture),
            npz=lambda: export.arrays_npz(trace, view, about),
        )
