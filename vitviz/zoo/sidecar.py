"""Sidecar files with options and class names of a checkpoint: `best.toml`, `vitviz.toml` and `labels.txt`.

    # best.toml, beside best.safetensors; the options of `vitviz.load`, by the same names
    arch = "vit_small_patch16_224"
    mean = [0.5, 0.5, 0.5]
    std = [0.5, 0.5, 0.5]
    classes = "names.txt"

`vitviz.toml` applies to all checkpoints of its folder that have no TOML file of their own, such as the
`model.safetensors` of a training run. The files are parsed as data; they cannot refer to files outside their folder.
"""

import os
import re
import stat
import tomllib
from dataclasses import fields
from pathlib import Path

from ..errors import ModelError
from ..errors.arguments import LONGEST, shown
from .class_names import MAX_BYTES
from .folders import SUFFIXES
from .options import NO_OPTIONS, Options

FOLDER_SIDECAR = "vitviz.toml"  # applies to all checkpoints in the folder
LABELS = "labels.txt"
_SUFFIXES = (*SUFFIXES, ".index", ".json")
_MAX_TOML = 100_000  # bytes; thousands of class names belong in a text file
_MAX_PARTS = 20  # of a dotted key: `tomllib` takes quadratic time
_DEEP_KEY = re.compile(rf"""(?<![\w-])(?:(?>[\w-]+|"(?>[^"\n]*)"|'(?>[^'\n]*)')[ \t]*+\.[ \t]*+){{{_MAX_PARTS},}}""")
_ADVICE = "correct it, or rename it if it is not meant for vitviz"


def read_sidecar(checkpoint: Path) -> tuple[Options, str]:
    """Read the TOML file beside a checkpoint.

    Returns:
        The options, and the name of the file; no options and "" if there is no such file.

    Raises:
        ModelError: if it cannot be read, is too large, or has an invalid option; the message names the file.
    """
    path = _sidecar(checkpoint)
    if path is None:
        return NO_OPTIONS, ""
    where = f"{path.name} beside {checkpoint.name!r}"
    try:
        text = _text_of(path, checkpoint, where)
        if _DEEP_KEY.search(text):
            raise ModelError(f"{where} has a key of more than {_MAX_PARTS} parts; {_ADVICE}.")
        settings = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "it is nested too deeply"
        problem, at, position = reason.removesuffix(")").rpartition(" (at ")  # never truncate the line number
        reason = f"{problem[:LONGEST]}, at {position}" if at else reason[:LONGEST]
        raise ModelError(f"{where} is not valid TOML ({reason}); {_ADVICE}.") from error
    names = [field.name for field in fields(Options)]
    unknown = next((name for name in settings if name not in names), None)
    if unknown is not None:
        raise ModelError(f"{where} has {shown(unknown)}, which is not an option of a checkpoint; {_ADVICE}.")
    try:
        if isinstance(settings.get("classes"), str):
            settings["classes"] = _beside(path, checkpoint, settings["classes"])
        return Options(**settings), path.name
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error


def sidecar_of(checkpoint: str) -> str:
    """Name of the TOML file for a checkpoint of this name; `vitviz.toml` for a folder."""
    return _names(Path(checkpoint))[0].name if checkpoint.endswith(SUFFIXES) else FOLDER_SIDECAR


def labels_beside(checkpoint: Path) -> Path | None:
    """Path of the `labels.txt` in a checkpoint's folder; None if there is none.

    Raises:
        ModelError: if it is not a regular file, is too large, or is a link to another folder.
    """
    path = checkpoint.with_name(LABELS)
    if not os.path.lexists(path):
        return None
    _refuse_other_than_files(path, checkpoint, MAX_BYTES, f"{LABELS} beside {checkpoint.name!r}")
    return path


def version_of(checkpoint: Path) -> str:
    """Version of the files that describe a checkpoint: text that changes with them; "" if there are none."""
    found = [path.stat() for path in files_beside(checkpoint)]
    return "-".join(f"{status.st_mtime_ns}-{status.st_size}" for status in found)


def files_beside(checkpoint: Path) -> list[Path]:
    """Files in the folder of a checkpoint that describe it."""
    described = (LABELS, "config.json", "preprocessor_config.json")
    found = [path for path in (*_names(checkpoint), *map(checkpoint.with_name, described)) if path.is_file()]
    try:
        classes = read_sidecar(checkpoint)[0].classes
    except ModelError:  # loading the checkpoint reports it
        return found
    return [*found, classes] if isinstance(classes, Path) else found


def _names(checkpoint: Path) -> tuple[Path, Path]:
    """Possible paths of the TOML file for a checkpoint, and of that for its folder."""
    stem = checkpoint.name
    while stem.endswith(_SUFFIXES) and "." in stem[1:]:
        stem = stem.rpartition(".")[0]
    return checkpoint.with_name(f"{stem}.toml"), checkpoint.with_name(FOLDER_SIDECAR)


def _sidecar(checkpoint: Path) -> Path | None:
    return next((path for path in _names(checkpoint) if os.path.lexists(path)), None)


def _beside(sidecar: Path, checkpoint: Path, name: str) -> Path:
    """Path of a file with class names given in a sidecar; it must be in the same folder."""
    path = sidecar.with_name(name) if name == Path(name).name and name.isprintable() and len(name) < 250 else None
    if path is None or not os.path.lexists(path):
        raise ModelError(f"classes is {shown(name)}; give the name of a text file in the same folder, or the names.")
    _refuse_other_than_files(path, checkpoint, MAX_BYTES, shown(name))
    return path


def _refuse_other_than_files(path: Path, checkpoint: Path, largest: int, where: str) -> None:
    """Refuse files that are not regular, too large, or a link to a folder other than the checkpoint's.

    The folder of a server may be writable for others. In the Hugging Face cache all files are links to one folder.
    """
    try:
        status, real = path.stat(), path.resolve()
    except OSError as error:
        raise ModelError(f"{where} cannot be read; correct its permissions or remove it.") from error
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
        raise ModelError(f"{where} cannot be read; correct its permissions or remove it.") from error
