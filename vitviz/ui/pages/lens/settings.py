"""Settings of the page "Lens", and the target that they determine.

The target is a class or, for a model without classes, similarity to an output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....analysis.logit_lens import Lens
from ....analysis.logit_lens import LensTarget as TargetValue
from ....analysis.predictions import class_name
from ....notation.marks import one_of, parse_class, parse_number, percent
from ...app import models, state
from ...app.settings import Setting
from ...app.views import VIEW
from ...widgets.strips import number
from . import lens_outputs

PREDICTED = -1  # stands for the predicted class
EACH, OWN, UPLOAD, MINE = "", "image", "\0", "\0mine"  # no sample has these names


def is_classifier(choice: state.Choice) -> bool:
    """Return True if the target is a class, not similarity to an image."""
    return state.trace(choice).model.is_classifier


def references(choice: state.Choice) -> dict[str, bytes]:
    """Return the samples that can be the reference."""
    samples = state.samples_for(choice.model)
    return {name: data for name, data in samples.items() if data != choice.picked.data}


def options(choice: state.Choice) -> list[int | str]:
    """Return all valid values of the target."""
    if is_classifier(choice):
        return [PREDICTED, *range(len(state.trace(choice).output))]
    mine = [MINE] if state.own_beside(choice) else []
    return [EACH, OWN, *references(choice), *mine, UPLOAD]


def _parse_target(text: str, choice: state.Choice) -> int | str:
    if is_classifier(choice):
        return parse_class(text, len(state.trace(choice).output))
    return one_of([*state.samples_for(choice.model), OWN])(text)


def _target_mark(target: int | str, choice: state.Choice) -> str:
    """Write a target as `_parse_target` reads it; a user's own images are never in links."""
    if isinstance(target, int):
        return "" if target == PREDICTED else str(target)
    if target == UPLOAD:
        return "" if UPLOADED.get() else OWN  # until one is uploaded
    return "" if target == MINE else target


def _is_possible(target: int | str, choice: state.Choice) -> bool:
    if is_classifier(choice):
        return PREDICTED <= target < len(state.trace(choice).output)
    return target in options(choice)


def _depth_of(text: str, choice: state.Choice) -> int:
    return 0 if text == "0" else 1 + parse_number(text, state.trace(choice).layers, "0")


def _kind_of_depth(choice: state.Choice) -> str:
    """Return the key suffix of the depth, which is remembered per kind of target."""
    kind = "" if is_classifier(choice) else "_each" if TARGET.get(choice) == EACH else "_like"
    return f"{state.trace(choice).layers}{kind}"


TARGET = Setting(
    "lens",
    lambda choice: PREDICTED if is_classifier(choice) else EACH,
    "lens",
    read=_parse_target,
    write=_target_mark,
    valid=_is_possible,
    per=lambda choice: f"{'class' if is_classifier(choice) else 'image'}_{models.outputs_of(choice.model)}",
    of_classes=True,
)
UPLOADED = Setting("lens_uploaded")  # the user's own image uploaded here last


@dataclass(frozen=True, eq=False)
class LensTarget:
    """Target of the lens with its values.

    Attributes:
        key: cache key.
        value: class index, reference output, or None for the final output of whatever is read.
        name: class or image name, such as `"4"` or `"rocket"`; may come from others.
        curve: values for the whole image, [1 + layer].
        signed: True for cosines, which may be negative; False for probabilities.
    """

    key: tuple
    value: TargetValue | None
    name: str
    curve: np.ndarray
    signed: bool

    @property
    def quantity(self) -> str:
        """Description of the values, for captions."""
        return f"Cosine with {self.name}" if self.signed else f"Probability of “{self.name}”"

    def format(self, value: float) -> str:
        """Format a value."""
        return number(value, 3) if self.signed else percent(value)


def target_of(choice: state.Choice) -> LensTarget:
    """Return the target that the user has chosen."""
    target, lens = TARGET.get(choice), lens_outputs.image_outputs(choice)
    if isinstance(target, int):
        probabilities = lens.probabilities()
        index = int(probabilities[-1].argmax()) if target == PREDICTED else target
        return LensTarget(("class", index), index, class_name(lens.model, index), probabilities[:, index], signed=False)
    if target == EACH:
        return LensTarget(("each",), None, "its own final output", lens.similarities(), signed=True)
    own = {OWN: None, UPLOAD: UPLOADED.get(), MINE: state.own_beside(choice)}
    picked = own[target] if target in own else state.Picked(target, references(choice)[target], sample=True)
    return _similarity_to(choice, lens, picked)


def _similarity_to(choice: state.Choice, lens: Lens, picked: state.Picked | None) -> LensTarget:
    """Return the target of similarity to the output for an image; this image if None."""
    if picked is None:
        output, key, name = lens.outputs[-1], ("own",), "this image’s own final output"
    else:
        other = replace(choice, picked=picked)
        output, key, name = state.trace(other).output, other.key, f"the output for “{picked.name}”"
    return LensTarget(("similarity", *key), output, name, lens.similarities(output), signed=True)


def default_depth(choice: state.Choice) -> int:
    """Return the default depth: the last for a class; for similarity, the depth at which patches differ most."""
    if is_classifier(choice):
        return state.trace(choice).layers
    target = target_of(choice)
    return int(lens_outputs.patch_outputs(choice, target.key, target.value).std(axis=(1, 2)).argmax())


DEPTH = Setting(
    "lens_depth",
    default_depth,
    "depth",
    read=_depth_of,
    valid=lambda depth, choice: 0 <= depth <= state.trace(choice).layers,
    per=_kind_of_depth,
)  # number of layers before the readout; 0 is the input of the first layer
ONE_SCALE = Setting(
    "lens_shared", lambda signed: not signed, per=str
)  # same scale for all layers; off for cosines, which are small in early layers
PINNED = replace(VIEW, only=("query",))
SETTINGS = (TARGET, DEPTH, PINNED)
