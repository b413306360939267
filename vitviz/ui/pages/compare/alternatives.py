"""Models that can be compared with the chosen one, and the choice of image and second model."""

from __future__ import annotations

from dataclasses import replace

from .... import zoo
from ....model.config import ViTConfig
from ....trace.inputs import default_size
from ...app import models, state


def of_any_kind(choice: state.Choice) -> list[str]:
    """Return the names of the other models that are available without a download, earlier checkpoints included."""
    names = dict.fromkeys([*models.ready(), *zoo.run_names(choice.model)])
    return [name for name in names if name != choice.model]


def of_one_architecture(choice: state.Choice) -> list[str]:
    """Return the names of the other models that may be checkpoints of the same architecture, those of its run first.

    Other checkpoints of the server are not loaded to find out: choosing one that differs shows a message.
    """
    own, run = models.describe(choice.model).config, zoo.run_names(choice.model)
    names = [name for name in of_any_kind(choice) if name not in run and _may_be_like(name, own)]
    return [*(name for name in run if name != choice.model), *names]


def surely_of_one_architecture(choice: state.Choice) -> str | None:
    """Return the first of these models that is known to have the architecture; None if all would have to be loaded."""
    run = zoo.run_names(choice.model)
    return next((name for name in of_one_architecture(choice) if name in run or zoo.entry_of(name)), None)


def other_choice(choice: state.Choice, name: str) -> state.Choice:
    """Return the same image for another model, at the same input size if the model offers it, and with the same fit.

    Raises:
        ModelError: if the model cannot be loaded.
    """
    info = models.describe(name)
    size = choice.size if choice.size in info.sizes else default_size(info.config, info.preprocessing)
    return state.Choice(choice.picked, name, size, choice.fit)


def _may_be_like(name: str, config: ViTConfig) -> bool:
    entry = zoo.entry_of(name)  # of a shipped model
    return entry is None or replace(entry.config, num_classes=config.num_classes) == config
