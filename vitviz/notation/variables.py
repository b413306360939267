"""Environment variables of the app: names, defaults, limits and meanings.

`VARIABLES` lists all of them. The app reads them with `Variable.value`, and so does `vitviz doctor`, which checks them.
The table in docs/deployment.md shows their defaults, limits and meanings.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

from ..errors import ModelError, VitvizError
from ..errors.arguments import shown

_DEVICE = re.compile(r"cpu|mps|cuda(:[0-9]{1,3})?")
_TEXTS = {
    "folder": "the path of a folder",
    "model": "the name of a model that is on the server without a download",
    "device": "cpu, cuda, cuda:1 (or another number) or mps",
}
_MOST_DIGITS = 18  # of a whole number; Python refuses to convert very long texts


@dataclass(frozen=True)
class Variable:
    """Environment variable of the app.

    Attributes:
        name: name of the variable.
        default: text that stands for the variable if it is not set or empty; empty for none.
        meaning: description of the setting.
        kind: `"whole"` for a whole number, `"number"` for any number, `"folder"` for the path of a folder,
            `"model"` for the name of a model, `"device"` for a device of PyTorch.
        low, high: smallest and largest number.
        unit: unit of the number, in the plural; empty for none.
        exception: default in another situation, for the documentation.
        error: class of the error for an invalid value.
    """

    name: str
    default: str
    meaning: str
    kind: str = "whole"
    low: float = 0
    high: float = math.inf
    unit: str = ""
    exception: str = ""
    error: type[VitvizError] = VitvizError

    @property
    def limits(self) -> str:
        """Description of the valid values, such as `"a whole number of megabytes, at least 100"`."""
        if self.kind in _TEXTS:
            return _TEXTS[self.kind]
        what = ("a whole number" if self.kind == "whole" else "a number") + (f" of {self.unit}" if self.unit else "")
        bounded = self.high < math.inf
        return f"{what} from {self.low:g} to {self.high:g}" if bounded else f"{what}, at least {self.low:g}"

    @property
    def text(self) -> str:
        """Value in the environment; empty if the variable is not set."""
        return os.environ.get(self.name, "")

    def value(self, default: str | None = None) -> float | str:
        """Return the value: an int for `"whole"`, a float for `"number"`, otherwise text.

        Args:
            default: text that replaces the default in the present situation.

        Raises:
            VitvizError: an `error`, if the value is not valid.
        """
        text = self.text or (self.default if default is None else default)
        if self.kind in ("folder", "model") or (self.kind == "device" and _DEVICE.fullmatch(text)):
            return text
        value = _whole(text) if self.kind == "whole" else math.nan if self.kind in _TEXTS else _number(text)
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise self.error(f"{self.name} is {shown(text)}; set it to {self.limits}.")
        return value


def _whole(text: str) -> float:
    """Return a whole number; NaN, which is within no limits, for any other text."""
    return int(text) if re.fullmatch(f"[0-9]{{1,{_MOST_DIGITS}}}", text) else math.nan


def _number(text: str) -> float:
    """Return a number; NaN for any other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


CACHE_MB = Variable(
    "VITVIZ_CACHE_MB",
    "1000",  # about a hundred traces at 224 px, or thirty images of 12 megapixels
    "size of the result cache for all users together",
    low=100,
    unit="megabytes",
)
JOBS = Variable(
    "VITVIZ_JOBS",
    "1",  # each uses all cores
    "number of slow computations, such as sweeps, that run at a time; each uses all cores",
    low=1,
    high=999,
)
MAX_MODELS = Variable("VITVIZ_MAX_MODELS", "2", "number of models kept in memory", low=1, error=ModelError)
DEVICE = Variable(
    "VITVIZ_DEVICE",
    "cpu",
    "device of the models of the app and the command line",
    kind="device",
    error=ModelError,
)
CHECKPOINT_DIR = Variable(
    "VITVIZ_CHECKPOINT_DIR",
    "",
    "folder of the checkpoints offered to users, including its subfolders",
    kind="folder",
)
MODEL = Variable(
    "VITVIZ_MODEL",
    "dinov2-small",
    "model with which new sessions open",
    kind="model",
    error=ModelError,
)
IMAGES = Variable(
    "VITVIZ_IMAGES",
    "",
    "folder of the images offered to all users, beside the samples: the first 24, without subfolders",
    kind="folder",
)
RUNS = Variable(
    "VITVIZ_RUNS",
    "",
    "folder of the scans offered on the page Collection, which is absent without it",
    kind="folder",
)
CLASS_HOURS = Variable(
    "VITVIZ_CLASS_HOURS",
    "0",
    "time for which users can share their own image with everybody who has the link; 0 disables it",
    kind="number",
    high=168,  # a week
    unit="hours",
)
MAX_DOWNLOAD_GB = Variable(
    "VITVIZ_MAX_DOWNLOAD_GB",
    "0",  # other users could fill the disk
    "largest model download; 0 disables downloads",
    kind="number",
    unit="gigabytes",
    exception="2 if the app serves this machine only",
    error=ModelError,
)
MAX_DOWNLOADS_GB = Variable(
    "VITVIZ_MAX_DOWNLOADS_GB",
    "20",
    "limit of all downloads of a server process together",
    kind="number",
    unit="gigabytes",
    error=ModelError,
)

VARIABLES = (
    *(CACHE_MB, JOBS, MAX_MODELS, DEVICE, MODEL, IMAGES, CHECKPOINT_DIR, RUNS),
    *(CLASS_HOURS, MAX_DOWNLOAD_GB, MAX_DOWNLOADS_GB),
)
