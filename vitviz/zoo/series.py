"""Order of the checkpoints of a training run, from the numbers in their names.

Names belong to one run if they differ in numbers only, such as `step-900.pth` and `step-1000.pth`. A checkpoint is a
file, or a folder such as `checkpoint-500` that holds the weights in a file of a fixed name.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TypeVar

from .folders import FOLDER_FILES, PART, SUFFIXES

_NUMBER = re.compile(r"[0-9]+")
# First part of the names of other files from training runs that have a suffix of weights.
NO_WEIGHTS = ("optimizer", "scheduler", "rng_state", "training_args", "scaler", "trainer_state")
_Path = TypeVar("_Path", bound=PurePath)


def series_of(path: PurePath) -> str:
    """Path of a checkpoint with `#` for each number of its name; "" if the name has none, or is not a checkpoint's.

    Checkpoints of one run have the same text.
    """
    place = _named(path)
    has_weights = path.suffix in SUFFIXES or path.name in FOLDER_FILES
    is_other = path.name.startswith(NO_WEIGHTS) or place.name.startswith(".") or PART.fullmatch(path.name)
    if is_other or not has_weights or not _NUMBER.search(place.name):
        return ""
    inside = "/".join(("", path.name)) if place != path else ""
    return place.with_name(_NUMBER.sub("#", place.name)).as_posix() + inside


def step_of(path: PurePath) -> str:
    """Name of a checkpoint in its run, such as `"step-900"`: that of its file, without the suffix, or of its folder."""
    place = _named(path)
    return place.stem if place == path else place.name


def in_order(paths: Iterable[_Path]) -> list[_Path]:
    """Sort the checkpoints of one run by the numbers in their names."""
    return sorted(paths, key=lambda path: ([int(number) for number in _NUMBER.findall(_named(path).name)], path))


def longest_series(paths: Iterable[_Path]) -> Sequence[Sequence[_Path]]:
    """Runs with the most checkpoints, each in order; several if they have equally many, [] if no name has a number."""
    series: defaultdict[str, list[_Path]] = defaultdict(list)
    for path in paths:
        if name := series_of(path):
            series[name].append(path)
    most = max(map(len, series.values()), default=0)
    return [in_order(series[name]) for name in sorted(series) if len(series[name]) == most]


def _named(path: PurePath) -> PurePath:
    """File or folder whose name states the step."""
    return path.parent if path.name in FOLDER_FILES else path
