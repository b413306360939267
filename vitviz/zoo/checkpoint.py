"""A checkpoint file as tensors by name, trusting nothing.

A safetensors file holds nothing but numbers. A pickle is read by `torch.load(weights_only=True)`, which builds tensors
and plain containers and runs nothing that the file chooses; a file that wants more is refused with what it wanted.
"""

import json
import pickle
import re
import threading
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import ModelError
from .pickles import check_pickles, plain

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")  # what a folder that a training run left behind holds

MAX_TEXT = 10_000_000  # bytes of a JSON file, and of a safetensors file's table of contents

# Where training scripts keep the weights, in order of preference: averaged ones first, as timm does.
_WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict", "model", "module"),
    *("net", "network", "teacher"),
)
_ARCHITECTURE_KEYS = ("arch", "architecture", "model_name")
_reading = threading.Lock()
_ADVICE = "save the weights alone, with safetensors or torch.save(model.state_dict(), path)"


@dataclass(frozen=True)
class Checkpoint:
    """What a file, and the JSON files beside it, say.

    Attributes:
        name: of the file or its folder, for people.
        weights: tensors by key, as in the file.
        arch: the architecture that the file names, or "".
        config: its `config.json`, or {}.
        preprocessor: its `preprocessor_config.json`, or {}.
    """

    name: str
    weights: dict[str, Tensor] = field(repr=False)
    arch: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    preprocessor: Mapping[str, Any] = field(default_factory=dict)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a file of weights, or the folder that a training run left behind, with the JSON files beside it.

    Raises:
        ModelError: if it cannot be read, or could only be read by running code; the message says why.
    """
    file = checkpoint_file(Path(path))
    # Files of these names describe whatever stands in their folder, so they are only asked about the file they go with.
    described = file.name in FOLDER_FILES
    found, said = _read(file)
    return Checkpoint(
        name=file.parent.resolve().name if described else file.stem,
        weights=_unwrapped(found, file.name),
        arch=said,
        config=_json(file.with_name("config.json")) if described else {},
        preprocessor=_json(file.with_name("preprocessor_config.json")) if described else {},
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, out of whatever a training script wrapped them in.

    Raises:
        ModelError: as `read_checkpoint`.
    """
    return _unwrapped(_read(path)[0], path.name)


def checkpoint_file(path: Path) -> Path:
    """The file that a path means: itself, or the weights in a folder.

    Raises:
        ModelError: if there is none, or it is empty.
    """
    if path.is_dir():
        file = next((path / name for name in FOLDER_FILES if (path / name).is_file()), None)
        if file is None:
            raise ModelError(f"{str(path)!r} is a folder without {' or '.join(FOLDER_FILES)}; give a file in it.")
        path = file
    if not path.is_file():
        raise ModelError(f"There is no file {str(path)!r}; check its path.")
    if not path.stat().st_size:
        raise ModelError(f"{path.name!r} is empty; save or copy it again.")
    return path


def _read(file: Path) -> tuple[Mapping, str]:
    """What a file holds, and the architecture that it names, or ""."""
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    found = _read_pickle(file)
    if not isinstance(found, Mapping):
        raise ModelError(f"{file.name!r} holds a {type(found).__name__} and no weights by name; {_ADVICE}.")
    return found, _architecture(found)


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], str]:
    with file.open("rb") as opened:  # the format's first number: how long its table of contents is
        if int.from_bytes(opened.read(8), "little") > MAX_TEXT and file.stat().st_size > MAX_TEXT:
            raise ModelError(f"{file.name!r} lists more tensors than any model has; {_ADVICE}.")
    try:
        with safe_open(file, "pt") as stored:
            return {key: stored.get_tensor(key) for key in stored.keys()}, _architecture(stored.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{file.name!r} is not a whole safetensors file: it is damaged or something else; save or copy it again."
        ) from error


def _read_pickle(file: Path) -> object:
    try:
        zipped = zipfile.is_zipfile(file)
        if zipped:
            _refuse_compression(file)
        check_pickles(file)
        # A memory map leaves on the disk what is not used, such as an optimiser's state. Training scripts, timm's among
        # them, keep their arguments as a Namespace, which holds values and nothing that runs. PyTorch's list of classes
        # that may be read is one for all threads.
        with _reading, torch.serialization.safe_globals([Namespace]):
            return plain(torch.load(file, map_location="cpu", weights_only=True, mmap=zipped))
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        raise ModelError(f"{file.name!r} {_wanted(str(error))}; {_ADVICE}.") from error
    except Exception as error:  # hostile bytes can make the unpickler raise nearly anything
        reason = "is a TorchScript archive" if "TorchScript" in str(error) else "is damaged or no PyTorch file"
        raise ModelError(f"{file.name!r} {reason}; {_ADVICE}.") from error


def _refuse_compression(file: Path) -> None:
    """PyTorch stores without compression; what is compressed could unpack to any size."""
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        script = any(record.filename.endswith("constants.pkl") for record in records)  # refused unread, by name
        if not script and any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise ModelError(f"{file.name!r} is compressed, which PyTorch's files are not; {_ADVICE}.")


def _wanted(message: str) -> str:
    """Why the unpickler refused, from its message."""
    wanted = re.search(r"(?:GLOBAL|class|global:?) ([A-Za-z_][\w.]*\.[\w.]+)", message)
    if wanted:
        return f"holds more than weights: its {wanted[1]} could only be read by running code that the file chooses"
    return "is damaged or no PyTorch file"


def _architecture(said: Mapping) -> str:
    """The architecture that a training script noted beside the weights."""
    args = said.get("args")
    args = vars(args) if isinstance(args, Namespace) else args
    notes = [said.get(key) for key in _ARCHITECTURE_KEYS]
    notes += (
        [args] if isinstance(args, str) else [args.get("model"), args.get("arch")] if isinstance(args, dict) else []
    )
    return next((note for note in notes if isinstance(note, str)), "")


def _unwrapped(found: Mapping, file: str) -> dict[str, Tensor]:
    """The tensors by name, from the innermost wrapper.

    Raises:
        ModelError: if there are none, or one claims to be larger than the file that it came from could be.
    """
    while True:
        inner = next((found[name] for name in _WRAPPERS if isinstance(found.get(name), Mapping)), None)
        if inner is None:
            break
        found = inner
    weights = {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
    if not weights:
        keys = ", ".join(map(repr, list(found)[:5])) or "none"
        raise ModelError(f"{file!r} holds no weights; its keys are {keys}.")
    for key, value in weights.items():
        whole = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not whole or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ModelError(f"{key} in {file!r} is not a plain tensor that is stored whole; {_ADVICE}.")
    return {key: value.detach() for key, value in weights.items()}


def _json(file: Path) -> dict[str, Any]:
    """A JSON object, or {} if there is no such file."""
    if not file.is_file():
        return {}
    if file.stat().st_size > MAX_TEXT:
        raise ModelError(f"{file.name} beside the weights is too large; write it again or remove it.")
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file.name} beside the weights is not valid JSON; write it again or remove it.") from error
    if not isinstance(said, dict):
        raise ModelError(f"{file.name} beside the weights is not a JSON object; write it again or remove it.")
    return said
