"""Training runs: checkpoints of one model, in the order of training."""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from ..errors import ModelError, VitvizWarning
from ..errors.arguments import checked_index, shown, shown_path, typed
from ..model.config import ViTConfig
from ..model.precision import plain_arithmetic
from ..trace.vision_transformer import VisionTransformer
from .folders import FOLDER_FILES
from .offered import is_offered, load_offered, offered_run
from .restore import load_checkpoint
from .series import longest_series, series_of, step_of
from .shipped import load_shipped
from .shipped_run import RUNS, ShippedCheckpoint, model_of, shipped_run

MAX_MODELS = 2  # models of a run in memory


@dataclass(frozen=True)
class RunCheckpoint:
    """Checkpoint of a run.

    Attributes:
        step: name in the run, such as `"step-00100"`.
        file: name for error messages.
        load: function that loads the model.
        accuracy: accuracy stored with the run, 0 to 1; None if it is not known.
    """

    step: str
    file: str
    load: Callable[[], VisionTransformer]
    accuracy: float | None = None


class Run:
    """Training run: checkpoints of one model, in the order of training; see `load_run`.

    At most two models are in memory: the last ones loaded. A run can be shared by threads.

    Attributes:
        name: name of the run.
        steps: names of the checkpoints, such as `("step-100", "step-900", "step-1000")`.
        accuracy: accuracy of each checkpoint, 0 to 1; None where it is not known.
    """

    def __init__(self, name: str, checkpoints: Sequence[RunCheckpoint]):
        self.name = name
        self.steps = tuple(one.step for one in checkpoints)
        self.accuracy = tuple(one.accuracy for one in checkpoints)
        self._checkpoints = tuple(checkpoints)
        self._models: OrderedDict[int, VisionTransformer] = OrderedDict()
        self._config: tuple[str, ViTConfig] | None = None  # of the first model loaded, with the name of its file
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._checkpoints)

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {len(self)} checkpoints, {self.steps[0]} to {self.steps[-1]})"

    def load(self, index: int) -> VisionTransformer:
        """Load a checkpoint, as `vitviz.load` does, with the options of the files in its folder.

        Args:
            index: index of the checkpoint, from 0; negative ones count from the end.

        Returns:
            The model; the same object as long as it is one of the last two. Its `notes` list what was assumed.

        Raises:
            ModelError: if it cannot be loaded, or its configuration is not that of the first one loaded; the message
                names the file.
            IndexError: if there is no such checkpoint.
        """
        index = checked_index(index, len(self), "checkpoint")
        with self._lock, plain_arithmetic():
            if index not in self._models:
                while len(self._models) >= MAX_MODELS:  # before loading, so that there are never three
                    self._models.popitem(last=False)
                self._models[index] = self._read(self._checkpoints[index])
            self._models.move_to_end(index)
            return self._models[index]

    def _read(self, checkpoint: RunCheckpoint) -> VisionTransformer:
        model = checkpoint.load()
        first, config = self._config = self._config or (checkpoint.file, model.config)
        different = next((field.name for field in fields(config) if _differ(config, model.config, field.name)), None)
        if different is not None:
            raise ModelError(
                f"{checkpoint.file!r} has {different} {shown(getattr(model.config, different))} and {first!r} has "
                f"{shown(getattr(config, different))}; move it to another folder, because a run has one configuration."
            )
        return model


def _differ(one: ViTConfig, other: ViTConfig, field: str) -> bool:
    return getattr(one, field) != getattr(other, field)


@typed
def load_run(folder: str | Path) -> Run:
    """Load a training run: a folder of checkpoints whose names differ in a number.

    The order is that of the numbers: `step-900.pth` comes before `step-1000.pth`. Files without a number, such as
    `best.pth`, and training state are left out. Folders such as `checkpoint-500` that hold the weights count as
    checkpoints. If there are several series of names, the longest is the run. Options of the checkpoints are set in a
    TOML file in the folder; see `load`.

    Args:
        folder: path of the folder, or the name of a shipped model with a run, `"digits"`.

    Returns:
        The run. The first checkpoint has been loaded; the others are loaded when they are needed, and must have the
        same configuration.

    Raises:
        ModelError: if there is no such folder, it holds no two such checkpoints or two series of equal length, or the
            first checkpoint cannot be loaded.
    """
    run = _shipped(folder) if isinstance(folder, str) and folder in RUNS else _in_folder(Path(folder))
    for note in run.load(0).notes:
        warnings.warn(note, VitvizWarning, stacklevel=3)  # past `typed`
    return run


def run_names(name: str) -> tuple[str, ...]:
    """Names of all checkpoints in the run of a shipped model or an offered checkpoint, in order; () if it has no run.

    Each is a name for `shared`.
    """
    names = tuple(one.entry.name for one in shipped_run(model_of(name))) if model_of(name) else offered_run(name)
    return names if name in names else ()


def run_of(name: str) -> Run | None:
    """Run of a shipped model or an offered checkpoint, by the names of `run_names`; None if it has no run."""
    names = run_names(name)
    if not names:
        return None
    if model_of(name):
        return _shipped(model_of(name))
    return Run(series_name(name), [RunCheckpoint(_step(one), one, partial(load_offered, one)) for one in names])


def series_name(name: str) -> str:
    """Name that the checkpoints of a run have in common, such as `"run7/step-#.pth"`; other names are unchanged."""
    if model_of(name):
        return model_of(name)
    return (is_offered(name) and series_of(Path(name))) or name


def step_name(name: str) -> str:
    """Name of a shipped or offered checkpoint in its run, such as `"step-00100"`."""
    model = model_of(name)
    steps = {one.entry.name: one.step for one in shipped_run(model)} if model else {}
    return steps.get(name) or _step(name)


def _step(name: str) -> str:
    return step_of(Path(name))


def _shipped(model: str) -> Run:
    checkpoints = shipped_run(model)
    if not checkpoints:
        raise ModelError(f"The training run of {model!r} is missing from this installation; install vitviz again.")
    return Run(model, [_shipped_checkpoint(one) for one in checkpoints])


def _shipped_checkpoint(one: ShippedCheckpoint) -> RunCheckpoint:
    return RunCheckpoint(one.step, one.entry.weights, partial(load_shipped, one.entry), one.accuracy)


def _in_folder(folder: Path) -> Run:
    try:
        files = [file for path in folder.iterdir() for file in _weights_at(path)]
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise ModelError(f"The folder {shown_path(folder)} cannot be read; check its path.") from error
    runs = longest_series(files)
    if not runs or len(runs[0]) < 2:
        raise ModelError(
            f"{shown_path(folder)} holds no two checkpoints whose names differ in a number, such as step-100.pth and "
            "step-200.pth; give the folder of a training run."
        )
    if len(runs) > 1:
        raise ModelError(
            f"{shown_path(folder)} holds several runs, such as those of {runs[0][0].name!r} and {runs[1][0].name!r}; "
            "move each into a folder of its own."
        )
    checkpoints = [
        RunCheckpoint(step_of(file), file.relative_to(folder).as_posix(), partial(load_checkpoint, file))
        for file in runs[0]
    ]
    return Run(folder.name, checkpoints)


def _weights_at(path: Path) -> list[Path]:
    """File of weights at a path in the folder of a run; [] if there is none."""
    if path.is_dir():
        return [path / name for name in FOLDER_FILES if (path / name).is_file()][:1]
    return [path] if path.is_file() else []
