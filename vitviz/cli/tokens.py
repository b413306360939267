"""`vitviz tokens`: the token space of a layer as colours, and the tokens themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..analysis import tokens
from ..errors import VitvizError
from ..model.config import ViTConfig
from ..notation.marks import layer_in_name, layer_mark, percent
from ..trace.vision_transformer import VisionTransformer
from .asked import layer_of
from .found import Found, Seen, as_npz, base_facts, predicted, prediction_values

OPACITY = 0.75  # of the colours over the picture


@dataclass(frozen=True)
class Tokens:
    """What is asked of every image; as typed.

    Attributes:
        layer: from 1; None for the last one.
        foreground: whether the components are those of the foreground alone.
    """

    layer: str | None
    foreground: bool

    @property
    def marks(self) -> list[str]:
        """What differs from the default, for the name of a report."""
        return [layer_in_name(self.layer) if self.layer else "", *self._foreground]

    @property
    def _foreground(self) -> list[str]:
        return ["foreground"] if self.foreground else []

    def check(self, model: VisionTransformer) -> None:
        """Refuse in a sentence what this model does not have, whatever the image."""
        if layer_of(self.layer, model.config) == model.config.depth:
            raise VitvizError(f"The pooling hands on no tokens; choose a layer from 1 to {model.config.depth}.")

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """What leaves the layer."""
        return (f"blocks.{layer_of(self.layer, model.config)}.resid_post",)

    def stem(self, name: str, config: ViTConfig) -> str:
        """The file name, without its ending, for an image of this name."""
        layer = layer_in_name(layer_mark(layer_of(self.layer, config), config))
        return "-".join([name, "tokens", layer, *self._foreground])

    def of(self, seen: Seen) -> Found:
        """The tokens that leave the layer."""
        trace = seen.trace
        layer = layer_of(self.layer, trace.config)
        stream = trace.tokens(layer)
        found = tokens.pca_of_layers(stream[None, trace.prefix :], grid=trace.grid if self.foreground else None)
        shares = [float(share) for share in found.explained[0]]
        about = base_facts(seen) | {"layer": layer + 1, "foreground_only": self.foreground, "explained": shares}
        split = " of the foreground" if self.foreground else ""
        words = (
            f"Layer {layer + 1}: the patch tokens' first three principal components{split} as red, green and blue, "
            f"with {', '.join(map(percent, shares))} of the variance."
        )
        colours = found.colours(0).reshape(*trace.grid, 3)
        said = predicted(trace)
        return Found(
            facts=about | said,
            caption=words,
            values=prediction_values(said) | {"Explained variance (%)": 100 * sum(shares)},
            about=about,
            text=f"{words} {seen.words}",
            colours=None,
            draw=lambda: _laid_over(seen.picture, colours),
            npz=lambda: as_npz(about, tokens=stream, scores=found.scores[0].reshape(*trace.grid, -1), colours=colours),
        )


def _laid_over(picture: Image.Image, colours: np.ndarray) -> Image.Image:
    flat = Image.fromarray(colours).resize(picture.size, Image.Resampling.NEAREST)
    return Image.blend(picture, flat, OPACITY)
