"""Callback for training loops in plain PyTorch and in Lightning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ...errors import ArgumentError, VitvizWarning
from ...errors.arguments import at_least, each_of_kind, typed, whole
from ...images import Preprocessing, Size
from ...trace.inputs import ImageSource
from ...trace.vision_transformer import VisionTransformer
from ...zoo.in_training import copy_of, find_model, isolated
from .record import TrainingRecord, Unit, training_record
from .writers import Writer

_MAX_MAP = 512  # pixels


class AttentionCallback:
    """Record the attention of fixed images every few epochs, or steps, of a training.

    At a record, the model is copied to the CPU, and the copy looks at the images. The model itself, its mode, device,
    gradients and the state of the random number generators are as before; the training ends with the same weights as
    without the callback.

        callback = AttentionCallback(["cat.jpg"], [FolderWriter("runs/first", checkpoints=True)], every_n_epochs=5)
        callback.record(model, 0)                                     # before training, if wanted
        for epoch in range(1, 101):
            train_one_epoch(model)
            callback.on_epoch_end(model, epoch)                       # plain PyTorch
        Trainer(callbacks=[callback]).fit(lightning_module, loader)   # or Lightning

    In Lightning it is a callback like any other, without being derived from its class: only the first process of a
    distributed training writes, and the model is checked before the training starts.

    Args:
        images: images as in `model.trace`, or a dictionary from name to image. A normalised tensor is used as it is.
        writers: destinations of the records: `FolderWriter`, `TensorBoardWriter`, `LogWriter`, or objects with a method
            `write(record)`.
        every_n_epochs: number of epochs between records; by default 1, unless `every_n_steps` is given.
        every_n_steps: number of steps (of the optimiser) between records, instead.
        model: name of the submodule that is the Vision Transformer; needed if there are several, such as
            `"student.backbone"`.
        preprocessing: preprocessing of the images in training; by default that of the model.
        size: input size, as in `model.trace`.
        fit: treatment of images that are not square, as in `model.trace`.
        side: longer side of a map in the overviews, in pixels.

    Attributes:
        last: the last record; None before the first.

    Raises:
        ArgumentError: if there are no images, two have the same name, both intervals are given, or a writer has no
            method `write`.
    """

    @typed
    def __init__(
        self,
        images: Sequence[ImageSource] | Mapping[str, ImageSource],
        writers: Sequence[Any] = (),
        *,
        every_n_epochs: int | None = None,
        every_n_steps: int | None = None,
        model: str | None = None,
        preprocessing: Preprocessing | None = None,
        size: Size | None = None,
        fit: str | None = None,
        side: int = 64,
    ):
        if every_n_epochs is not None and every_n_steps is not None:
            raise ArgumentError("Both every_n_epochs and every_n_steps are given; choose one of them.")
        missing = next((one for one in writers if not callable(getattr(one, "write", None))), None)
        if missing is not None:
            raise ArgumentError(f"A writer must have a method 'write', which a {type(missing).__name__} does not have.")
        self._images = _named(images)
        self._writers: tuple[Writer, ...] = tuple(writers)
        self._unit: Unit = "epoch" if every_n_steps is None else "step"
        interval = every_n_epochs if every_n_steps is None else every_n_steps
        self._every = at_least(1 if interval is None else interval, 1, f"every_n_{self._unit}s")
        self._model = model
        self._preprocessing = preprocessing
        self._options = {"size": size, "fit": fit, "side": whole(side, 8, _MAX_MAP, "The side of a map")}
        self._noted: set[str] = set()
        self.last: TrainingRecord | None = None

    @typed
    def on_epoch_end(self, model: nn.Module, epoch: int) -> None:
        """Record the model, if it is time for it.

        Args:
            model: model that is being trained, or a module that contains it.
            epoch: number of epochs done, from 1.

        Raises:
            ArgumentError, ModelError, ImageError: as in `record`.
        """
        self._on("epoch", model, epoch)

    @typed
    def on_step_end(self, model: nn.Module, step: int) -> None:
        """Record the model, if it is time for it.

        Args:
            model: as in `on_epoch_end`.
            step: number of steps done, from 1.

        Raises:
            ArgumentError, ModelError, ImageError: as in `record`.
        """
        self._on("step", model, step)

    @typed
    def record(self, model: nn.Module, number: int) -> TrainingRecord:
        """Record the model now.

        Args:
            model: as in `on_epoch_end`.
            number: number of epochs done, or of steps with `every_n_steps`; 0 before the training.

        Returns:
            The record, which has been written by all writers. A file that cannot be written becomes a `VitvizWarning`,
            because a training should not end with a full disk.

        Raises:
            ArgumentError: if there is no Vision Transformer in the module, or several.
            ModelError: if it has a part that cannot be represented exactly (the message names it), or cannot be loaded
                from its checkpoint.
            ImageError: if an image cannot be read.
        """
        number = at_least(number, 0, f"The number of {self._unit}s")
        source = find_model(model, self._model)
        copied = self._copied(source)
        with isolated():
            self.last = training_record(source, copied, self._images, self._unit, number, **self._options)
        for writer in self._writers:
            try:
                writer.write(self.last)
            except OSError as error:
                what = f"The record of {self._unit} {number} could not be written ({error})"
                warnings.warn(f"{what}; the training continues.", VitvizWarning, stacklevel=2)
        return self.last

    def _on(self, unit: Unit, model: nn.Module, number: int) -> None:
        number = at_least(number, 0, f"The number of {unit}s")
        is_new = self.last is None or self.last.number != number  # Lightning counts accumulated batches as one step
        if unit == self._unit and number > 0 and number % self._every == 0 and is_new:
            self.record(model, number)

    def _copied(self, source: nn.Module) -> VisionTransformer:
        """Copy the model; a note on an assumption is issued once."""
        copied = copy_of(source, self._preprocessing)
        for note in copied.notes:
            if note not in self._noted:
                self._noted.add(note)
                warnings.warn(note, VitvizWarning, stacklevel=4)
        return copied

    # Protocol of Lightning's callbacks

    @property
    def state_key(self) -> str:
        """Key of the state in Lightning's checkpoints, which is empty; a trainer may have several callbacks."""
        return f"vitviz.AttentionCallback-{id(self)}"

    _legacy_state_key = state_key

    def on_fit_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Check in Lightning, before the training, that the model can be recorded.

        Raises:
            ArgumentError, ModelError: as in `record`.
        """
        if getattr(trainer, "is_global_zero", True):
            self._copied(find_model(pl_module, self._model))

    def on_train_epoch_end(self, trainer: Any, pl_module: nn.Module) -> None:
        """Record the model in Lightning, if it is time for it."""
        if getattr(trainer, "is_global_zero", True):
            self._on("epoch", pl_module, trainer.current_epoch + 1)

    def on_train_batch_end(self, trainer: Any, pl_module: nn.Module, *_: Any, **__: Any) -> None:
        """Record the model in Lightning, if it is time for it."""
        if getattr(trainer, "is_global_zero", True):
            self._on("step", pl_module, trainer.global_step)

    def setup(self, trainer: Any, pl_module: nn.Module, stage: str) -> None:
        """Do nothing; called by Lightning."""

    def teardown(self, trainer: Any, pl_module: nn.Module, stage: str) -> None:
        """Do nothing; called by Lightning."""

    def state_dict(self) -> dict[str, Any]:
        """Return no state, for Lightning's checkpoints."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing; called by Lightning."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Do nothing in Lightning's other hooks, whose number depends on its version."""
        if name.startswith("on_"):
            return _ignore
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)


def _ignore(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _named(images: Sequence[ImageSource] | Mapping[str, ImageSource]) -> dict[str, ImageSource]:
    """Return the images by name: those of their files, or their numbers."""
    if isinstance(images, Mapping):
        named = {str(name): image for name, image in images.items()}
    else:
        named = {}
        for number, image in enumerate(images, 1):
            name = Path(image).stem if isinstance(image, str | Path) else f"image-{number}"
            if name in named:
                raise ArgumentError(
                    f"Two images are called {name!r}; give a dictionary from name to image, with different names."
                )
            named[name] = image
    if not named:
        raise ArgumentError("The argument 'images' is empty; give at least one image.")
    each_of_kind(named.values(), ImageSource, "images")
    return named
