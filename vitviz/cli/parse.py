"""Reading of layers, heads and tokens as people type them, as in links."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import VitvizError
from ..model.config import ViTConfig
from ..notation import marks
from ..trace.trace import Trace


def parse_layer(text: str | None, config: ViTConfig) -> int:
    """A layer from 0, as `vitviz.notation.view.View` counts it: the last one if nothing is asked for.

    Raises:
        VitvizError: if the model does not have it.
    """
    return config.depth - 1 if text is None else _understood("layer", text, marks.parse_layer, config)


def parse_head(text: str, layer: int, config: ViTConfig) -> int | None:
    """A head from 0; None for the mean of the layer's.

    Raises:
        VitvizError: if the layer does not have it.
    """
    return _understood("head", text, marks.parse_head, layer, config)


def parse_token(text: str | None, trace: Trace) -> int | None:
    """A token as the model counts it: `"cls"`, `"reg2"`, or row and column of a patch, `"7-9"`. None for None.

    Raises:
        VitvizError: if this image, as this model sees it, does not have it.
    """
    return None if text is None else _understood("token", text, marks.parse_token, trace)


def _understood(what: str, text: str, understand: Callable, *known: object) -> int | None:
    try:
        return understand(text, *known)
    except ValueError as error:
        raise VitvizError(f"There is no {what} {text!r}; it can be {error}.") from error
