"""Settings of the page "Teach"."""

from __future__ import annotations

from ....errors import ModelError
from ....model.config import Pooling
from ....notation.marks import one_of
from ....zoo.heads import checked_name
from ...app import models, state
from ...app.settings import Setting

OWN, EXAMPLE, FILE = "own", "example", "file"
SOURCES = {OWN: "Your images", EXAMPLE: "Example", FILE: "Saved head"}
POOLING_LABELS = {
    "token": "class token",
    "mean": "mean of the patches",
    "token+mean": "class token and mean of the patches",
    "attention": "attention pooling of the model",
}
LINKED = (OWN, EXAMPLE)  # a file is never in a link
LONGEST_NAME = 40  # characters of the name of a head
PLACE = "teach"  # where the page waits for slow work


def poolings(choice: state.Choice) -> tuple[Pooling, ...]:
    """Return the poolings that the chosen model has; its own is among them."""
    config = models.describe(choice.model).config
    by_token = ("token", "token+mean") if config.class_token else ()
    own = _own_pooling(choice)
    return tuple(dict.fromkeys((*by_token, *(() if by_token else ("mean",)), own)))


def _own_pooling(choice: state.Choice) -> Pooling:
    """Return the pooling of the model; the class token for a distilled one, see `vitviz.zoo.heads.with_pooling`."""
    own = models.describe(choice.model).config.pooling
    return "token" if own == "distilled" else own


def _is_name(name: str) -> bool:
    """Return True if this can be the name of a head."""
    try:
        return len(checked_name(name)) <= LONGEST_NAME
    except ModelError:
        return False


SOURCE = Setting(
    "teach_source",
    OWN,
    "source",
    read=lambda text, _: one_of(LINKED)(text),
    write=lambda source, _: source if source in LINKED else "",
    valid=lambda source, _: source in SOURCES,
)
POOLING = Setting(
    "teach_pooling",
    _own_pooling,
    valid=lambda pooling, choice: pooling in poolings(choice),
    per=lambda choice: choice.model,
)
BINARY = Setting("teach_binary", False)
NAME = Setting("teach_name", "own classes", valid=lambda name, _: _is_name(name.strip()))
WITH_THUMBNAILS = Setting("teach_with_thumbnails", False)
SAMPLES_TO = Setting("teach_samples_class")  # number of the class to which samples are added
OPENED = Setting("teach_opened")  # head that the user has opened; None if there is none
SETTINGS = (SOURCE,)
