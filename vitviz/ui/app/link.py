"""Links: what is looked at, and how, as query parameters. A link reopens the same view.

Layers, heads and tokens are written as `vitviz.notation.marks` says. What a link says wrongly is left out and said in
one sentence; the rest of it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from ...errors import ModelError
from ...notation.marks import counted, format_size, listed, one_of
from ...zoo import SHIPPED, checkpoints
from . import models, state
from .registry import PAGES
from .settings import read

CHOICE = ("image", "model", "size", "fit")
GUIDE = "guide"  # the tour or the lesson, and the stop
OLD_LESSON = "tour"  # a stop of the lesson, in links from when there was nothing else
LONG = 5  # letters of a name of which one may be wrong: of shorter ones, another word comes of it


def ours() -> tuple[str, ...]:
    """The names of all query parameters: of the choice, of the guides and of every page."""
    of_pages = (name for page in PAGES for setting in page.settings for name in setting.names)
    return tuple(dict.fromkeys((*CHOICE, GUIDE, OLD_LESSON, *of_pages)))


def read_choice(parameters: Mapping[str, str], samples: Mapping[str, bytes]) -> tuple[dict, list[str]]:
    """The choices that a link makes, by the names in `CHOICE`, and a notice for each that could not be used.

    A user's own image is none of them: only the browser may have it, see `vitviz.ui.components.own_image`.
    """
    chosen, notices = read({"model": _model}, parameters)
    understand = {"image": one_of(samples), "fit": partial(state.FIT.read, about=None)}
    try:
        about = models.describe(chosen.get("model", state.MODEL.first()))
        understand["size"] = partial(state.SIZE.read, about=about)
    except ModelError:  # the page says why, and shows nothing that could have a size
        pass
    own = parameters.get("image") == state.OWN
    others, more = read(understand, {name: text for name, text in parameters.items() if not (own and name == "image")})
    chosen, notices = chosen | others, notices + more
    return chosen, notices + find_misspelled(parameters)


def find_misspelled(names: Iterable[str]) -> list[str]:
    """A notice for each name that is nearly one of ours.

    All others are somebody else's: mail programs, search engines and networks put their own into the links that they
    hand on. Those are dropped without a word.
    """
    notices, known = [], ours()
    for name in names:
        meant = None if name in known else next((one for one in known if _is_slip(name[:40].lower(), one)), None)
        if meant:
            notices.append(f"The link's “{name[:40]}” was left out: “{meant}” may have been meant.")
    return notices


def _is_slip(written: str, meant: str) -> bool:
    """True if one slip is between two names: two neighbours exchanged, or a letter missing, too much or wrong.

    Who leaves letters off the end means another word (`mode` is not `model`), but for the s of a plural.
    """
    if written == meant:
        return True  # in capital letters
    if written[:1] != meant[:1] or (meant.startswith(written) and meant != f"{written}s"):
        return False
    same = 0
    while written[same : same + 1] == meant[same : same + 1] != "":
        same += 1
    one, other = written[same:], meant[same:]
    exchanged = one[:2] == other[1::-1] and one[2:] == other[2:]
    longer_or_shorter = one[1:] == other or one == other[1:]
    wrong = len(meant) >= LONG and one[1:] == other[1:]
    return exchanged or longer_or_shorter or wrong


def read_guide(parameters: Mapping[str, str], counts: Mapping[str, int]) -> tuple[tuple[str, int] | None, list[str]]:
    """The stop that a link opens, as the guide's name and a number from 0, and a notice if there is no such stop.

    Args:
        parameters: of the link; `tour` alone is a stop of the lesson, as older links have it.
        counts: how many stops each guide has, by its name.
    """

    def stop_of(text: str) -> tuple[str, int]:
        guide, _, stop = text.partition("-")
        try:
            return guide, counted(stop, counts[guide])
        except (KeyError, ValueError) as error:
            raise ValueError(listed([f"{name}-1 to {name}-{count}" for name, count in counts.items()])) from error

    understand = {OLD_LESSON: lambda text: ("lesson", counted(text, counts["lesson"])), GUIDE: stop_of}
    stops, notices = read(understand, parameters)
    return stops.get(GUIDE, stops.get(OLD_LESSON)), notices


def choice_parameters(choice: state.Choice) -> dict[str, str]:
    """The query parameters that reopen a choice; a visitor's own image is not part of them."""
    image = choice.picked.name if choice.picked.sample else state.OWN
    return {"image": image, "model": choice.model, "size": format_size(choice.size), "fit": choice.fit}


def _model(text: str) -> str:
    # A link causes no download. A checkpoint that is not here or does not load is not replaced by another model.
    if not models.is_ready(text) and not models.is_checkpoint(text):
        raise ValueError(listed([*SHIPPED, *checkpoints()[:8], "another one that is on this server's disk"]))
    return text
