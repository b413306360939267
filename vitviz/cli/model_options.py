"""Options of the model: checkpoint options and linear head; and the limit on the size of its input."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import typer

from ..errors import ModelError, VitvizError, VitvizWarning
from ..images import Size, check_size
from ..model.config import ViTConfig
from ..notation.marks import format_size
from ..notation.variables import DEVICE
from ..trace.inputs import MAX_PATCHES, default_size
from ..trace.vision_transformer import VisionTransformer
from ..zoo import files_of, load, takes_options
from .checkpoint import Typed, as_typed, marks_of, options_of
from .console import printable
from .names import mark, short

MAX_BYTES = 2**31  # queries and keys of an image


@dataclass(frozen=True)
class Options:
    """Linear head, and checkpoint options that are missing in its file; see `vitviz.load`.

    Attributes:
        arch: architecture name in timm.
        classes: file with the class names, or the number of classes as text.
        num_heads: number of attention heads per block.
        prefix: common prefix of the model's keys.
        more: further options by name, as typed; None for options that are not set.
        linear_head: file of a linear head that replaces the classifier; None for none.
    """

    arch: str | None = None
    classes: str | None = None
    num_heads: int | None = None
    prefix: str | None = None
    more: Mapping[str, Typed] = field(default_factory=dict)
    linear_head: Path | None = None

    def load(self, name: str, fit: str | None = None) -> VisionTransformer:
        """Load a model and print its assumptions on standard error. Raises a `VitvizError` if loading fails.

        Args:
            name: model name or path, as for `vitviz.load`.
            fit: fit mode, if typed; for a checkpoint it is a further option, unless a linear head, which was fitted on
                the model without this option, is given.
        """
        classes = int(self.classes) if self.classes and self.classes.isdecimal() else self.classes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VitvizWarning)  # printed below as notes
            more = options_of(self.more)
            try:
                if fit and self.linear_head is None and takes_options(name):
                    more["fit"] = fit
                model = load(
                    name,
                    arch=self.arch,
                    classes=classes,
                    num_heads=self.num_heads,
                    prefix=self.prefix,
                    head=self.linear_head,
                    device=DEVICE.value(),
                    **more,
                )
            except ModelError as error:
                raise ModelError(as_typed(str(error))) from error
        for note in model.notes:
            typer.echo(f"vitviz: {printable(as_typed(note))}", err=True)
        return model

    @property
    def marks(self) -> list[str]:
        """Parts of file names for the options that are set."""
        return [
            short(self.arch) if self.arch else "",
            "features" if self.classes == "0" else "",
            f"{self.num_heads}heads" if self.num_heads else "",
            short(self.prefix.strip(".")) if self.prefix else "",
            *map(short, marks_of({"classes": None if self.classes == "0" else self.classes, **self.more})),
            mark(str(self.linear_head.with_suffix(""))) if self.linear_head else "",
        ]

    def model_time(self, name: str) -> float:
        """Return the latest modification time of a model's files, in seconds as in `os.stat`; 0 if it has none."""
        files = files_of(name)
        if self.classes and os.path.isfile(self.classes):
            files.append(Path(self.classes))
        if self.linear_head:
            files.append(self.linear_head)
        return max((file.stat().st_mtime for file in files), default=0)


def size_mark(size: Size | None, model: VisionTransformer) -> str:
    """Return the part of file names for an input size; empty for the model's default."""
    return "" if size in (None, default_size(model.config, model.preprocessing)) else f"{format_size(size)}px"


def check_patches(size: Size | None, config: ViTConfig) -> None:
    """Raise a `VitvizError` if queries and keys of all layers would not fit into memory at a size, if one is typed."""
    if size is None:
        return
    patch = config.patch_size
    height, width = check_size(size, patch)
    patches = (height // patch) * (width // patch)
    most = min(MAX_PATCHES, MAX_BYTES // (2 * 4 * config.embed_dim * config.depth))
    if patches > most:
        raise VitvizError(
            f"A size of {height} x {width} pixels makes {patches:,} patches of {patch} pixels; use at most {most:,} "
            "with this model."
        )
