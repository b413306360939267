"""`vitviz attention`: where a token looks."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import VitvizError
from ..model.config import POOL, ViTConfig
from ..notation.marks import MEAN, head_in_name, layer_in_name, percent
from ..notation.view import Direction, Scale, View, scales, strongest_patch
from ..trace.vision_transformer import VisionTransformer
from ..viz import export
from ..viz.colour import on_neutral
from .parse import parse_head, parse_layer, parse_token
from .result import Found, Seen, predicted, prediction_values


@dataclass(frozen=True)
class Attention:
    """What is asked of every image; as typed.

    Attributes:
        layer: from 1, or `"pool"`; None for the last one.
        head: from 1, or `"mean"`.
        query: the token that looks; None for the class token, or without one the patch in the middle.
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
        """What differs from the default, for the name of a report."""
        layer = layer_in_name(self.layer) if self.layer else ""
        head = head_in_name(self.head) if self.head != MEAN else ""
        return [layer, head, self.query or "", self.direction if self.direction != "from" else "", *self._scale]

    @property
    def _scale(self) -> list[str]:
        return [self.scale] if self.scale != "relative" else []

    def check(self, model: VisionTransformer) -> None:
        """Refuse in a sentence what this model does not have, whatever the image."""
        parse_head(self.head, parse_layer(self.layer, model.config), model.config)

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """Nothing: queries and keys are always there."""
        return ()

    def stem(self, name: str, config: ViTConfig) -> str:
        """The file name, without its ending, for an image of this name; as `vitviz.viz.export.file_stem` has it.

        Without a class token the patch in the middle looks unless another one is asked for, and is not named.
        """
        layer = parse_layer(self.layer, config)
        pool = layer == config.depth
        token = None if pool else self.query or ("cls" if config.class_token else None)
        at = (POOL if pool else layer + 1, parse_head(self.head, layer, config))
        return "-".join(
            [export.stem(name, *at, token and export.safe_name(token), self.direction == "to"), *self._scale]
        )

    def of(self, seen: Seen) -> Found:
        """The attention map of one image.

        Raises:
            VitvizError: if this image does not have the token, or the weights not the scale.
        """
        trace = seen.trace
        layer = parse_layer(self.layer, trace.config)
        view = View(
            layer,
            parse_head(self.head, layer, trace.config),
            parse_token(self.query, trace),
            self.direction,
            self.scale,
        )
        if self.scale not in scales(trace):
            raise VitvizError(f"Weights that may be negative have no scale {self.scale!r}; choose share or raw.")
        about = export.metadata(trace, view, seen.path.name, trace.model.name, seen.fit) | dict(seen.origin)
        weights = view.weights(trace)
        strongest = strongest_patch(trace, weights)
        weight = float(weights[strongest])
        row, column = divmod(strongest - trace.prefix, trace.grid[1])
        patch = [row + 1, column + 1]
        said = predicted(trace)
        return Found(
            facts=about | said | {"strongest": {"patch": patch, "weight": weight}},
            caption=f"{view.label(trace)}: {view.direction_label(trace)}. Strongest patch: ({row + 1}, {column + 1}), "
            f"{percent(weight)}.",
            values=prediction_values(said) | {"Strongest weight (%)": 100 * weight},
            about=about,
            text=export.caption(trace, view, about),
            colours=on_neutral(view.scale, signed=trace.config.differential),
            draw=lambda: export.overlay_picture(trace, view, seen.picture),
            npz=lambda: export.arrays_npz(trace, view, about),
        )
