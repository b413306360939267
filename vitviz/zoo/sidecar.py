"""Text files beside a checkpoint that say what it does not tell itself: `best.toml`, `vitviz.toml` and `labels.txt`.

    # best.toml, beside best.safetensors; the options of `vitviz.load`, by the same names
    arch = "vit_small_patch16_224"
    mean = [0.5, 0.5, 0.5]
    std = [0.5, 0.5, 0.5]
    classes = "names.txt"

`vitviz.toml` holds for all checkpoints of its folder that have no file of their own, such as the `model.safetensors` of
a training run. Both are read as numbers and words; nothing in them is run, and they name no file outside their folder.
"""

import os
import stat
import tomllib
from dataclasses import fields
from pathlib import Path

from ..errors import ModelError
from ..errors.arguments import LONGEST, shown
from .class_names import MAX_BYTES
from .folders import SUFFIXES
from .options import NOTHING_SAID, Options

FOLDERS = "vitviz.toml"  # holds for a whole folder
LABELS = "labels.txt"
ENDINGS = (*SUFFIXES, ".index", ".json")
_MAX_TOML = 100_000  # bytes; class names by the thousand go to a text file
_ADVICE = "mend it, or rename it if it is not meant for vitviz"


def read_sidecar(checkpoint: Path) -> tuple[Options, str]:
    """Read the TOML file beside a checkpoint.

    Returns:
        The options that it gives, and its name; no options and "" if there is no such file.

    Raises:
        ModelError: if it cannot be read, is large, or gives something that is no option; the message names the file.
    """
    path = _sidecar(checkpoint)
    if path is None:
        return NOTHING_SAID, ""
    where = f"{path.name} beside {checkpoint.name!r}"
    try:
        said = tomllib.loads(_text_of(path, checkpoint, where))
    except (ValueError, RecursionError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "it is nested too deeply"
        what, at, place = reason.removesuffix(")").rpartition(" (at ")  # the line, which tells the most, comes last
        reason = f"{what[:LONGEST]}, at {place}" if at else reason[:LONGEST]
        raise ModelError(f"{where} is not valid TOML ({reason}); {_ADVICE}.") from error
    names = [field.name for field in fields(Options)]
    unknown = next((name for name in said if name not in names), None)
    if unknown is not None:
        raise ModelError(f"{where} has {shown(unknown)}, which is no option of a checkpoint; {_ADVICE}.")
    try:
        if isinstance(said.get("classes"), str):
            said["classes"] = _beside(path, checkpoint, said["classes"])
        return Options(**said), path.name
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error


def sidecar_of(checkpoint: str) -> str:
    """Name of the TOML file that holds for a checkpoint of this name alone; for a folder, of that in the folder."""
    return _names(Path(checkpoint))[0].name if checkpoint.endswith(SUFFIXES) else FOLDERS


def labels_beside(checkpoint: Path) -> Path | None:
    """Path of the `labels.txt` in a checkpoint's folder; None if there is none.

    Raises:
        ModelError: if it is something else than a file, or is a link to another folder.
    """
    path = checkpoint.with_name(LABELS)
    if not os.path.lexists(path):
        return None
    _refuse_other_than_files(path, checkpoint, MAX_BYTES, f"{LABELS} beside {checkpoint.name!r}")
    return path


def stamp(checkpoint: Path) -> str:
    """Text that changes with the files beside a checkpoint that describe it; "" if there are none."""
    found = [path.stat() for path in files_beside(checkpoint)]
    return "-".join(f"{status.st_mtime_ns}-{status.st_size}" for status in found)


def files_beside(checkpoint: Path) -> list[Path]:
    """Files beside a checkpoint that describe it."""
    described = (LABELS, "config.json", "preprocessor_config.json")
    return [path for path in (*_names(checkpoint), *map(checkpoint.with_name, described)) if path.is_file()]


def _names(checkpoint: Path) -> tuple[Path, Path]:
    """Paths of the file for a checkpoint alone, and of that for its folder."""
    stem = checkpoint.name
    while stem.endswith(ENDINGS) and "." in stem[1:]:
        stem = stem.rpartition(".")[0]
    return checkpoint.with_name(f"{stem}.toml"), checkpoint.with_name(FOLDERS)


def _sidecar(checkpoint: Path) -> Path | None:
    return next((path for path in _names(checkpoint) if os.path.lexists(path)), None)


def _beside(sidecar: Path, checkpoint: Path, name: str) -> Path:
    """A file with class names that a sidecar names, which has to be in the same folder."""
    path = sidecar.with_name(name) if name == Path(name).name and name.isprintable() and len(name) < 250 else None
    if path is None or not os.path.lexists(path):
        raise ModelError(f"classes is {shown(name)}; give the name of a text file in the same folder, or the names.")
    _refuse_other_than_files(path, checkpoint, MAX_BYTES, shown(name))
    return path


def _refuse_other_than_files(path: Path, checkpoint: Path, largest: int, where: str) -> None:
    """Refuse what is no regular file of a moderate size, or a link to another folder than the checkpoint's.

    A server's folder may be one that others can write to. In the Hugging Face cache all files are links to one folder.
    """
    try:
        status, real = path.stat(), path.resolve()
    except OSError as error:
        raise ModelError(f"{where} cannot be read; mend its permissions or remove it.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{where} is not a regular file; remove it.")
    if real.parent not in (path.parent.resolve(), checkpoint.resolve().parent):
        raise ModelError(f"{where} is a link to another folder; copy the file itself.")
    if status.st_size > largest:
        raise ModelError(f"{where} is larger than {largest:,} bytes; {_ADVICE}.")


def _text_of(path: Path, checkpoint: Path, where: str) -> str:
    _refuse_other_than_files(path, checkpoint, _MAX_TOML, where)
    try:
        with path.open("rb") as file:
            return file.read(_MAX_TOML).decode("utf-8-sig")
    except OSError as error:
        raise ModelError(f"{where} cannot be read; mend its permissions or remove it.") from error
