"""Links: image, model and settings as query parameters. A link reopens the same view.

Layers, heads and tokens are written in the notation of `vitviz.notation.marks`. Invalid parameters are ignored, with a
notice for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from ... import zoo
from ...errors import ModelError
from ...notation.marks import format_size, join_words, one_of, parse_number
from . import class_images, folder_images, models, scans, state
from .projector import PROJECTOR
from .registry import PAGES
from .settings import read

CLASSES = "classes"  # says that a user has taught the model classes, which links do not include
CHOICE = ("image", "model", CLASSES, "size", "fit")
CLASSES_LEFT_OUT = (
    "This link was created with classes that a user has taught the model, which links do not include; to get them "
    "back, open the file of the head on the page Teach; example classes come back with a click on Explain."
)
GUIDE = "guide"  # tour or lesson, and stop
OLD_LESSON = "tour"  # stop of the lesson, in links of earlier versions
LONG = 5  # minimum length of a name in which one letter may be wrong; in shorter names, that may be another word


def parameter_names() -> tuple[str, ...]:
    """Return the names of all query parameters: of the choice, of the guides and of all pages."""
    of_pages = (name for page in PAGES for setting in page.settings for name in setting.names)
    return tuple(dict.fromkeys((*CHOICE, GUIDE, OLD_LESSON, *PROJECTOR.names, *of_pages)))


def read_choice(parameters: Mapping[str, str], samples: Mapping[str, bytes]) -> tuple[dict, list[str]]:
    """Parse the choice in a link: arguments of `state.begin`, and a notice for each invalid parameter.

    The user's own image is not included: only the browser can have it, see `vitviz.ui.components.own_image`. An image
    that is shared with the class is, as `shared`. The classes that a user has taught the model are not included either.
    """
    chosen, notices = read({"model": _model, CLASSES: one_of((state.OWN,))}, parameters)
    has_classes = chosen.pop(CLASSES, None) is not None
    notices += [CLASSES_LEFT_OUT] * has_classes
    parsers = {"image": one_of(samples), "fit": partial(state.FIT.read, info=None)}
    try:
        info = models.describe(chosen.get("model", state.MODEL.default_value()))
        parsers["size"] = partial(state.SIZE.read, info=info)
        if has_classes:  # a size that is offered only with them needs no second notice
            chosen |= read({"size": parsers.pop("size")}, parameters)[0]
    except ModelError:  # the page shows the error
        pass
    image = parameters.get("image", "")
    scanned = image.startswith(scans.MARK) and image not in samples
    if scanned:
        chosen["shared"], problem = scans.named(image)
        notices += [problem] * bool(problem)
    shared = image.startswith(class_images.MARK) and image not in samples
    if shared:
        chosen["shared"] = class_images.named(image)
        notices += [class_images.GONE] * (chosen["shared"] is None)
    filed = image.startswith(folder_images.MARK) and image not in samples
    if filed:
        chosen["shared"], problem = folder_images.named(image)
        notices += [problem] * bool(problem)
    if shared or scanned or filed or image == state.OWN:
        del parsers["image"]
    others, more = read(parsers, parameters)
    chosen, notices = chosen | others, notices + more
    return chosen, notices + find_misspelled(parameters)


def page_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the query parameters that pages read later.

    If the link was created with a user's own classes, parameters that name a class are left out, because this session
    does not have these classes.
    """
    of_classes = {name for page in PAGES for setting in page.settings if setting.of_classes for name in setting.names}
    left_out = {*CHOICE, *(of_classes if CLASSES in parameters else ())}
    return {name: text for name, text in parameters.items() if name not in left_out}


def find_misspelled(names: Iterable[str]) -> list[str]:
    """Return a notice for each name that is a misspelled query parameter.

    Other unknown names are ignored silently: mail programs, search engines and social networks add their own parameters
    to links.
    """
    notices, known = [], parameter_names()
    for name in names:
        meant = None if name in known else next((one for one in known if _is_slip(name[:40].lower(), one)), None)
        if meant:
            notices.append(f"The link's parameter “{name[:40]}” was ignored; use “{meant}” instead.")
    return notices


def _is_slip(written: str, meant: str) -> bool:
    """Return True if two names differ by one typing error: a swap of neighbours, or a missing, extra or wrong letter.

    A name without its last letters counts as another word (`mode` is not `model`), except for a plural s.
    """
    if written == meant:
        return True  # written in capitals
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
    """Parse the stop in a link: guide name and index of the stop, from 0, and a notice if the stop does not exist.

    Args:
        parameters: query parameters; `tour` is a stop of the lesson, in links of earlier versions.
        counts: number of stops by guide.
    """

    def stop_of(text: str) -> tuple[str, int]:
        guide, _, stop = text.partition("-")
        try:
            return guide, parse_number(stop, counts[guide])
        except (KeyError, ValueError) as error:
            raise ValueError(join_words([f"{name}-1 to {name}-{count}" for name, count in counts.items()])) from error

    parsers = {OLD_LESSON: lambda text: ("lesson", parse_number(text, counts["lesson"])), GUIDE: stop_of}
    stops, notices = read(parsers, parameters)
    return stops.get(GUIDE, stops.get(OLD_LESSON)), notices


def choice_parameters(choice: state.Choice) -> dict[str, str]:
    """Return the query parameters of a choice.

    The user's own image is not included, unless the class shares it, and neither are classes that a user has taught the
    model.
    """
    picked = choice.picked
    image = picked.name if picked.sample else getattr(picked, "mark", state.OWN)
    size = format_size(choice.size)
    return {"image": image, **model_parameters(choice.model), "size": size, "fit": choice.fit}


def model_parameters(model: str) -> dict[str, str]:
    """Return the query parameters of a model: the base model, and a mark if a user has taught it classes."""
    base = zoo.base_of(model)
    return {"model": base} if base == model else {"model": base, CLASSES: state.OWN}


def _model(text: str) -> str:
    # A link never causes a download, and a checkpoint that is missing or invalid is not replaced by another model.
    if not models.is_ready(text) and not models.is_checkpoint(text):
        raise ValueError(join_words([*zoo.SHIPPED, *zoo.checkpoints()[:8], "another model on this server's disk"]))
    return text
