"""Writers of training records to TensorBoard and to loggers that are handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ...errors import ArgumentError
from ...errors.arguments import shown, typed
from .record import TrainingRecord


class Writer(Protocol):
    """Destination of training records; any object with this method can be one."""

    def write(self, record: TrainingRecord) -> None:
        """Write a record."""


class TensorBoardWriter:
    """Writer to TensorBoard: statistics of each head as scalars, overviews as images.

    Args:
        summary_writer: `torch.utils.tensorboard.SummaryWriter`, or an object with its `add_scalar` and `add_image`; in
            Lightning, `logger.experiment` of a TensorBoardLogger.
        tag: first part of the tags, as in `vitviz/entropy/L02/H01`; layers and heads from 1.

    Raises:
        ArgumentError: if the object lacks one of the methods.
    """

    @typed
    def __init__(self, summary_writer: Any, tag: str = "vitviz"):
        _refuse_without(summary_writer, "add_scalar", "add_image")
        self._writer = summary_writer
        self._tag = tag

    def write(self, record: TrainingRecord) -> None:
        """Write a record; its number is the step of TensorBoard."""
        for name, number in record.scalars().items():
            self._writer.add_scalar(f"{self._tag}/{name}", number, record.number)
        for name, picture in record.pictures().items():
            pixels = np.asarray(picture)
            self._writer.add_image(f"{self._tag}/attention/{name}", pixels, record.number, dataformats="HWC")


class LogWriter:
    """Writer to a logger with a method `log` for a dictionary, such as a run of Weights & Biases.

    Args:
        logger: object with a method `log(dictionary)`. The keys are those of TensorBoard, and `vitviz/epoch` (or
            `vitviz/step`) for the number of the record.
        image: function that converts a PIL image for the logger, such as `wandb.Image`; None to leave the overviews
            out.
        tag: first part of the keys.

    Raises:
        ArgumentError: if the object has no such method.
    """

    @typed
    def __init__(self, logger: Any, *, image: Callable[[Image.Image], Any] | None = None, tag: str = "vitviz"):
        _refuse_without(logger, "log")
        self._logger = logger
        self._image = image
        self._tag = tag

    def write(self, record: TrainingRecord) -> None:
        """Write a record in one call of `log`."""
        values: dict[str, Any] = {record.unit: record.number, **record.scalars()}
        if self._image is not None:
            values |= {f"attention/{name}": self._image(picture) for name, picture in record.pictures().items()}
        self._logger.log({f"{self._tag}/{name}": value for name, value in values.items()})


def _refuse_without(target: object, *methods: str) -> None:
    missing = next((name for name in methods if not callable(getattr(target, name, None))), None)
    if missing is not None:
        raise ArgumentError(f"{shown(target)} has no method {missing!r}; give an object with {' and '.join(methods)}.")
