"""Settings of the page "Lens", and the target that follows from them.

The target is a class; or, of a model without classes, likeness to an output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....analysis.logit_lens import Asked, Lens
from ....analysis.predictions import class_name
from ....notation.marks import counted, one_of, parse_class, percent
from ...app import state
from ...app.settings import Setting
from ...app.views import VIEW
from ...widgets.strips import number
from . import lens_outputs

PREDICTED = -1  # stands for the class that the model predicts, whichever that is
EACH, OWN, UPLOAD, MINE = "", "image", "\0", "\0mine"  # no sample is called so


def is_classifier(choice: state.Choice) -> bool:
    """Whether a class is followed, and not likeness to an image."""
    return state.trace(choice).model.is_classifier


def references(choice: state.Choice) -> dict[str, bytes]:
    """The samples that can be compared with."""
    samples = state.samples_for(choice.model)
    return {name: data for name, data in samples.items() if data != choice.picked.data}


def options(choice: state.Choice) -> list[int | str]:
    """All values that the target can have."""
    if is_classifier(choice):
        return [PREDICTED, *range(len(state.trace(choice).output))]
    mine = [MINE] if state.own_beside(choice) else []
    return [EACH, OWN, *references(choice), *mine, UPLOAD]


def _target_of(text: str, choice: state.Choice) -> int | str:
    if is_classifier(choice):
        return parse_class(text, len(state.trace(choice).output))
    return one_of([*state.samples_for(choice.model), OWN])(text)


def _target_mark(target: int | str, choice: state.Choice) -> str:
    """Description of the texts that `_target_of` understands; no link carries somebody's own photo."""
    if isinstance(target, int):
        return "" if target == PREDICTED else str(target)
    if target == UPLOAD:
        return "" if UPLOADED.get() else OWN  # until there is one
    return "" if target == MINE else target


def _is_possible(target: int | str, choice: state.Choice) -> bool:
    if is_classifier(choice):
        return PREDICTED <= target < len(state.trace(choice).output)
    return target in options(choice)


def _depth_of(text: str, choice: state.Choice) -> int:
    return 0 if text == "0" else 1 + counted(text, state.trace(choice).layers, "0")


def _kind_of_depth(choice: state.Choice) -> str:
    """The depth is remembered for each kind of target: another kind is worth another look."""
    kind = "" if is_classifier(choice) else "_each" if TARGET.get(choice) == EACH else "_like"
    return f"{state.trace(choice).layers}{kind}"


TARGET = Setting(
    "lens",
    lambda choice: PREDICTED if is_classifier(choice) else EACH,
    "lens",
    read=_target_of,
    write=_target_mark,
    valid=_is_possible,
    per=lambda choice: f"{'class' if is_classifier(choice) else 'image'}_{choice.model}",
)
UPLOADED = Setting("lens_uploaded")  # the user's own image that was dropped here last


@dataclass(frozen=True, eq=False)
class Goal:
    """A target with what belongs to it.

    Attributes:
        key: what identifies it.
        target: a class, a vector like the model's output, or None: the end of whatever is read.
        name: what it is called, other people's words included: `"4"`, `"rocket"`.
        curve: its value for the whole image, [1 + layer].
        signed: whether values may be negative: cosines, and not probabilities.
    """

    key: tuple
    target: Asked | None
    name: str
    curve: np.ndarray
    signed: bool

    @property
    def what(self) -> str:
        """What its values are, for captions."""
        return f"Cosine with {self.name}" if self.signed else f"Probability of “{self.name}”"

    def say(self, value: float) -> str:
        """A value in words."""
        return number(value, 3) if self.signed else percent(value)


def goal_of(choice: state.Choice) -> Goal:
    """The target that the user has chosen."""
    target, lens = TARGET.get(choice), lens_outputs.whole(choice)
    if isinstance(target, int):
        likely = lens.probabilities()
        index = int(likely[-1].argmax()) if target == PREDICTED else target
        return Goal(("class", index), index, class_name(lens.model, index), likely[:, index], signed=False)
    if target == EACH:
        return Goal(("each",), None, "its own final output", lens.similarities(), signed=True)
    own = {OWN: None, UPLOAD: UPLOADED.get(), MINE: state.own_beside(choice)}
    picked = own[target] if target in own else state.Picked(target, references(choice)[target], sample=True)
    return _like(choice, lens, picked)


def _like(choice: state.Choice, lens: Lens, picked: state.Picked | None) -> Goal:
    """Likeness to what the model makes of an image, of this one if None."""
    if picked is None:
        output, key, name = lens.outputs[-1], ("own",), "this image’s own final output"
    else:
        other = replace(choice, picked=picked)
        output, key, name = state.trace(other).output, other.key, f"the output for “{picked.name}”"
    return Goal(("like", *key), output, name, lens.similarities(output), signed=True)


def first_depth(choice: state.Choice) -> int:
    """The depth until the user chooses: of a class the last; of a likeness, the one at which patches differ most."""
    if is_classifier(choice):
        return state.trace(choice).layers
    goal = goal_of(choice)
    return int(lens_outputs.by_patch(choice, goal.key, goal.target).std(axis=(1, 2)).argmax())


DEPTH = Setting(
    "lens_depth",
    first_depth,
    "depth",
    read=_depth_of,
    valid=lambda depth, choice: 0 <= depth <= state.trace(choice).layers,
    per=_kind_of_depth,
)  # 0 before the first layer, else how many layers are passed
ONE_SCALE = Setting(
    "lens_shared", lambda signed: not signed, per=str
)  # for all layers; cosines of earlier layers do not come near those of the last
PINNED = replace(VIEW, only=("query",))
SETTINGS = (TARGET, DEPTH, PINNED)
