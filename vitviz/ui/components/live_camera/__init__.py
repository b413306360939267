"""Live camera: the browser sends a frame, and the next one only after the answer to it has arrived."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....analysis.predictions import Prediction
from ....notation.marks import percent
from ....viz.colour import ATTENTION
from .._shared import Component, Listener

LARGEST_FRAME = 2_000_000  # characters of a message
_PREFIX = "data:image/jpeg;base64,"

component = Component("live_camera", Path(__file__).parent, css=f".live {{ --bar: {ATTENTION}; }}\n")


@dataclass(frozen=True)
class Answer:
    """Answer to a frame.

    Attributes:
        predictions: predictions of all classes, in an order that does not change with the frame.
        problem: what is wrong with the frame, in one sentence; empty if nothing is.
    """

    predictions: Sequence[Prediction] = ()
    problem: str = ""


def live_camera(answer: Answer | None, *, side: int, on_frame: Callable[[bytes], object], key: str) -> None:
    """Draw the button that starts the camera, and while it runs, its picture and the last answer.

    Args:
        answer: answer to the last frame; None if there was none.
        side: short side in pixels to which the browser reduces a frame.
        on_frame: function called with a frame, a JPEG file from the browser; the content is not checked.
        key: identity of the component in the session.
    """
    shown = None
    if answer is not None and answer.problem:
        shown = {"problem": answer.problem}
    elif answer is not None:
        shown = {"classes": [[one.label, one.probability, percent(one.probability)] for one in answer.predictions]}
    listeners = {"frame": Listener("a frame of the camera", _read_frame, on_frame)}
    component.draw({"answer": shown, "side": side}, listeners, key=key)


def _read_frame(message: object) -> bytes:
    if not isinstance(message, str) or len(message) > LARGEST_FRAME or not message.startswith(_PREFIX):
        raise ValueError("not a JPEG of limited size")
    return base64.b64decode(message.removeprefix(_PREFIX), validate=True)
