"""Flattening of a patch: its pixels beside the vector of their numbers, each of which points at the other."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from .._shared import Component, Listener
from .payload import payload, read_choice

__all__ = ["flattening"]

component = Component("flattening", Path(__file__).parent)


def flattening(
    picture: np.ndarray,
    pixels: np.ndarray,
    channels: Sequence[str],
    chosen: int,
    *,
    on_choose: Callable[[int], None],
    key: str,
) -> None:
    """Draw a patch and its vector. Pointing at a component shows its pixel and vice versa; a click chooses it.

    A button animates the order in which the pixels become the vector, unless the user prefers reduced motion.

    Args:
        picture: patch as shown, uint8 [P, P, 3].
        pixels: numbers of the patch, [P, P, C].
        channels: names of the channels.
        chosen: index of the chosen component, from 0.
        on_choose: function called with the index that the user chooses, before the page runs again.
        key: identity of the element in the session.

    Raises:
        ValueError: if the arrays do not belong together, or the component does not exist.
    """
    data = payload(picture, pixels, channels, chosen)
    listener = Listener("a component of a vector", partial(read_choice, count=pixels.size), on_choose)
    component.draw(data, {"chosen": listener}, key=key)
