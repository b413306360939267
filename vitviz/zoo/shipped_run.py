"""Training runs that ship with the project: earlier checkpoints of a shipped model.

The file run.json in the folder of a run lists its checkpoints in the order of training. The last one is the shipped
model itself, whose weights are stored once.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..notation.installation import assets
from .shipped import SHIPPED, ZooEntry

RUNS = {"digits": "digits-run"}  # folders in assets/models, by the name of the model
LISTING = "run.json"


@dataclass(frozen=True)
class ShippedCheckpoint:
    """Checkpoint of a shipped run.

    Attributes:
        step: name in the run, such as `"step-00100"`.
        accuracy: accuracy on the images of `RunListing.accuracy_on`, 0 to 1.
        entry: description; its name is that for `load`.
    """

    step: str
    accuracy: float
    entry: ZooEntry


def run_folder(model: str) -> Path:
    """Return the folder with the run of a shipped model."""
    return assets() / "models" / RUNS[model]


@cache
def shipped_run(model: str) -> tuple[ShippedCheckpoint, ...]:
    """Return the checkpoints of a shipped model, in the order of training; () if it has none, or they are missing."""
    listing = run_folder(model) / LISTING if model in RUNS else None
    if listing is None or not listing.is_file():
        return ()
    checkpoints = json.loads(listing.read_text("utf-8"))["checkpoints"]
    return tuple(
        ShippedCheckpoint(one["step"], one["accuracy"], _entry(SHIPPED[model], one["step"], one["sha256"]))
        for one in checkpoints
    )


def entry_of(name: str) -> ZooEntry | None:
    """Return the entry of a shipped model or of a checkpoint of a shipped run; None for other names."""
    if name in SHIPPED:
        return SHIPPED[name]
    model = model_of(name)
    return next((one.entry for one in shipped_run(model) if one.entry.name == name), None) if model else None


def model_of(name: str) -> str:
    """Name of the shipped model to whose run a name belongs; "" if there is none."""
    folder = name.partition("/")[0]
    return next((model for model, run in RUNS.items() if name == model or ("/" in name and folder == run)), "")


def _entry(model: ZooEntry, step: str, sha256: str) -> ZooEntry:
    if sha256 == model.sha256:
        return model
    name = f"{RUNS[model.name]}/{step}"
    return replace(
        model,
        name=name,
        title=f"{model.title}, {step}",
        summary="An earlier checkpoint of the training run.",
        weights=f"{name}.safetensors",
        sha256=sha256,
        reference=(),
    )
