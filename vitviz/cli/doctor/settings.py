"""Checks of the environment variables of the app."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from ...errors import VitvizError
from ...notation.variables import CHECKPOINT_DIR, DEVICE, IMAGES, MODEL, VARIABLES, Variable
from .check import Check

_OF_TESTS = ("VITVIZ_BROWSER",)


def check_settings() -> Iterator[Check]:
    """Parse all environment variables of the app, and find misspelt ones."""
    for variable in VARIABLES:
        yield _value(variable)
    yield _device()
    known = {variable.name for variable in VARIABLES}
    for name in sorted(os.environ):
        if name.startswith("VITVIZ_") and name not in known and name not in _OF_TESTS:
            nearest = get_close_matches(name, known, 1, 0)[0]
            advice = f"Use {nearest} if that was meant; otherwise remove {name}."
            yield Check(name, "warning", {"value": os.environ[name]}, "vitviz has no setting of this name.", advice)


def _value(variable: Variable) -> Check:
    facts = {"set": variable.text or None}
    try:
        facts["value"] = variable.value()
    except VitvizError as error:
        return Check(variable.name, "failure", facts, f"{variable.text!r} is not valid.", str(error))
    if not variable.text:
        default = variable.default or "none"
        more = f" ({variable.exception})" if variable.exception else ""
        return Check(variable.name, "ok", facts, f"Not set; the default is {default}{more}.")
    return Check(variable.name, "ok", facts, f"{variable.text}.")


def _device() -> Check:
    """Check that the device of the models is there."""
    from ...model.precision import check_place, devices

    facts = {"devices": devices()}
    try:
        check_place(DEVICE.value(), None)
    except VitvizError as error:
        return Check("device", "failure", facts, f"{DEVICE.text!r} is not there.", str(error))
    return Check("device", "ok", facts, f"{DEVICE.value()}.")


def check_checkpoints() -> Iterator[Check]:
    """Check that the folder of checkpoints can be read, if there is one."""
    name, folder = "checkpoints", CHECKPOINT_DIR.value()
    facts = {"folder": folder or None}
    if not folder:
        yield Check(name, "ok", facts, "No folder is set, so the app offers no checkpoints of its own.")
        return
    if not os.path.isdir(folder):  # unlike pathlib, this never raises
        advice = f"Set {CHECKPOINT_DIR.name} to the path of an existing folder, or remove it."
        yield Check(name, "failure", facts, f"{folder!r} is not a folder.", advice)
        return
    try:
        os.listdir(folder)
    except OSError as error:
        advice = "Give the user of this process the right to read it."
        yield Check(name, "failure", facts, f"{folder!r} cannot be read: {error.strerror or error}.", advice)
        return
    from ... import zoo

    names = zoo.checkpoints()
    facts["checkpoints"] = len(names)
    unreadable = [one for one in names if not os.access(os.path.join(folder, one), os.R_OK)]
    if unreadable:
        advice = "Give the user of this process the right to read these files."
        yield Check(name, "failure", facts, f"{folder!r}: {', '.join(unreadable)} cannot be read.", advice)
    else:
        yield Check(name, "ok", facts, f"{folder!r} offers {len(names)} checkpoints.")


def check_offered() -> Iterator[Check]:
    """Check that the model with which the app opens is there, and that the folder of images has some."""
    from ... import zoo
    from ...images.folder import image_names

    facts = {"model": MODEL.value()}
    try:
        zoo.check_opening(MODEL.value())
        yield Check("opening model", "ok", facts, f"{MODEL.value()}.")
    except VitvizError as error:
        advice = f"Set {MODEL.name} to the name of another model, or remove it."
        yield Check("opening model", "failure", facts, str(error), advice)
    folder = IMAGES.value()
    facts = {"folder": folder or None}
    if not folder:
        yield Check("images", "ok", facts, "No folder is set, so the app offers its samples only.")
        return
    try:
        facts["images"] = len(image_names(Path(folder)))
    except VitvizError as error:
        advice = f"Set {IMAGES.name} to the path of a folder that this process may read, or remove it."
        yield Check("images", "failure", facts, str(error), advice)
        return
    if facts["images"]:
        yield Check("images", "ok", facts, f"{folder!r} has {facts['images']} images.")
    else:
        advice = "Put images of a supported format into it, not into its subfolders; links must not lead outside."
        yield Check("images", "failure", facts, f"{folder!r} has no images.", advice)
