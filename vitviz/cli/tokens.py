"""Command `vitviz tokens`: principal components of a layer's patch tokens as colours, and the tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..analysis import tokens
from ..errors import VitvizError
from ..model.config import ViTConfig
from ..notation.marks import format_layer, layer_in_name, percent
from ..trace.vision_transformer import VisionTransformer
from .parse import parse_layer
from .result import Result, TracedImage, as_npz, base_facts, prediction_facts, prediction_values

OPACITY = 0.75  # overlay opacity


@dataclass(frozen=True)
class Tokens:
    """Settings of `vitviz tokens`, as typed.

    Attributes:
        layer: layer from 1; None for the last layer.
        foreground: True to compute the components of the foreground only.
    """

    layer: str | None
    foreground: bool

    @property
    def marks(self) -> list[str]:
        """Settings that differ from the defaults, for the name of a report."""
        return [layer_in_name(self.layer) if self.layer else "", *self._foreground]

    @property
    def _foreground(self) -> list[str]:
        return ["foreground"] if self.foreground else []

    def check(self, model: VisionTransformer) -> None:
        """Raise a `VitvizError` if the model has no such layer."""
        if parse_layer(self.layer, model.config) == model.config.depth:
            raise VitvizError(f"Pooling has no output tokens; use a layer from 1 to {model.config.depth}.")

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """Return the hook point of the layer's output."""
        return (f"blocks.{parse_layer(self.layer, model.config)}.resid_post",)

    def stem(self, name: str, config: ViTConfig) -> str:
        """Return the file name without extension for an image."""
        layer = layer_in_name(format_layer(parse_layer(self.layer, config), config))
        return "-".join([name, "tokens", layer, *self._foreground])

    def run(self, image: TracedImage) -> Result:
        """Compute the principal components of the layer's output for one image."""
        trace = image.trace
        layer = parse_layer(self.layer, trace.config)
        stream = trace.tokens(layer)
        pca = tokens.pca_of_layers(stream[None, trace.prefix :], grid=trace.grid if self.foreground else None)
        shares = [float(share) for share in pca.explained[0]]
        about = base_facts(image) | {"layer": layer + 1, "foreground_only": self.foreground, "explained": shares}
        part = " of the foreground" if self.foreground else ""
        caption = (
            f"Layer {layer + 1}: first three principal components of the patch tokens{part} as red, green and blue; "
            f"explained variance {', '.join(map(percent, shares))}."
        )
        colours = pca.colours(0).reshape(*trace.grid, 3)
        prediction = prediction_facts(trace)
        return Result(
            facts=about | prediction,
            caption=caption,
            values=prediction_values(prediction) | {"Explained variance (%)": 100 * sum(shares)},
            about=about,
            text=f"{caption} {image.description}",
            colours=None,
            draw=lambda: _overlay(image.picture, colours),
            npz=lambda: as_npz(about, tokens=stream, scores=pca.scores[0].reshape(*trace.grid, -1), colours=colours),
        )


def _overlay(picture: Image.Image, colours: np.ndarray) -> Image.Image:
    flat = Image.fromarray(colours).resize(picture.size, Image.Resampling.NEAREST)
    return Image.blend(picture, flat, OPACITY)
