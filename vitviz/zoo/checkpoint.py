"""Read the tensors of an untrusted checkpoint file.

A safetensors file contains only numbers and text. A pickle is read by `torch.load(weights_only=True)`, which builds
tensors and plain containers and runs no code that the file chooses. A file that needs anything else is refused, and the
message names it.
"""

import io
import pickle
import re
import threading
import zipfile
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import ModelError
from ..errors.arguments import shown
from .folders import FOLDER_FILES, INDEX_FILES, MAX_TEXT, PART, checkpoint_file, read_json
from .pickles import check_pickles, plain
from .plain_values import SAFE_GLOBALS

_ARCHITECTURE_KEYS = ("arch", "architecture", "model_name")
_CLASS_KEYS = ("class_to_idx", "idx_to_class", "class_names", "classes")
_MAX_PARTS = 1_000
_MAX_DEPTH = 12  # of containers in containers; training scripts need three or four
_MAX_ENTRIES = 1_000_000
_MAX_ARGUMENTS = 20_000  # characters
_MAX_NAME = 200  # characters
_MAX_NDIM = 16  # dimensions of a tensor; weights have up to four
_MAX_KEY = 300  # characters; messages repeat a few keys
_MAX_EMPTY = 10_000  # length of an axis of a tensor without values, which takes no space in a file but sizes others
_MAX_SHARED = 4  # bytes of all weights of a model, relative to the bytes of memory that they share
_reading = threading.Lock()
_ADVICE = "save only the weights, with safetensors or torch.save(model.state_dict(), path)"


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint file and of the JSON files in its folder.

    Attributes:
        name: name of the model: that of the file without its suffix, or that of its folder.
        weights: tensors by key; keys of nested mappings are joined with dots.
        arch: architecture stated in the file, or "".
        args: arguments of the training script stored in the file, or {}.
        classes: class names stored in the file, in any form, or None.
        config: contents of `config.json`, or {}.
        preprocessor: contents of `preprocessor_config.json`, or {}.
        path: name of the file, with its folder if the file name is generic; "" for weights in memory.
    """

    name: str
    weights: dict[str, Tensor] = field(repr=False)
    arch: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    classes: Any = None
    config: Mapping[str, Any] = field(default_factory=dict)
    preprocessor: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @property
    def file(self) -> str:
        """Name of the checkpoint in messages."""
        return self.path or self.name


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint file, or the folder of a training run, with its JSON files.

    Raises:
        ModelError: if it cannot be read, or can be read only by running code; the message gives the reason.
    """
    file = checkpoint_file(Path(path))
    # config.json and preprocessor_config.json belong to files with these names only, not to others in the folder.
    is_part = PART.fullmatch(file.name) is not None
    described = file.name in FOLDER_FILES or is_part
    if file.name in INDEX_FILES or is_part:
        found, metadata = _read_parts(file) if is_part else _read_shards(file), {}
    else:
        found, metadata = _read(file)
    args = _arguments(metadata)
    folder = file.parent.resolve().name
    return Checkpoint(
        name=folder if described else file.stem,
        path=f"{folder}/{file.name}" if described else file.name,
        weights=tensors_in(found, file.name),
        arch=_architecture(metadata, args),
        args=args,
        classes=next(
            (found for key in _CLASS_KEYS if isinstance(found := metadata.get(key), dict | list | tuple)), None
        ),
        config=read_json(file.with_name("config.json")) if described else {},
        preprocessor=read_json(file.with_name("preprocessor_config.json")) if described else {},
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file, by the keys of the innermost mapping that holds them all.

    Raises:
        ModelError: as `read_checkpoint`.
    """
    weights = tensors_in(_read(path)[0], path.name)
    while len(outer := {key.partition(".")[0] for key in weights}) == 1:
        weights = {key.partition(".")[2]: value for key, value in weights.items()}
        if "" in weights:
            raise ModelError(
                f"{path.name!r} holds a single tensor, {outer.pop()!r}, instead of the weights of a model."
            )
    check_whole(weights, path.name)
    return weights


def _read_shards(index: Path) -> dict[str, Tensor]:
    """Read the tensors of all files listed in an index."""
    weight_map = read_json(index).get("weight_map")
    files = list(weight_map.values()) if isinstance(weight_map, dict) else []
    if not files or not all(isinstance(file, str) and _is_file_name(file) for file in files):
        raise ModelError(f"{index.name!r} does not list files of weights in its folder; save it again.")
    weights: dict[str, Tensor] = {}
    for file in sorted({*files}):
        path = index.with_name(file)
        if not path.is_file():
            raise ModelError(f"{index.name!r} lists {file!r}, which is missing; copy the whole folder again.")
        weights |= tensors_in(_read(path)[0], file)
    missing = weight_map.keys() - weights.keys()
    if missing:
        raise ModelError(
            f"{index.name!r} lists {len(missing)} weights that are missing from its files, such as "
            f"{shown(min(missing))}; copy the whole folder again."
        )
    return weights


def _is_file_name(name: str) -> bool:
    """Return whether a text can be the name of a file in a folder; a long or empty one makes `pathlib` fail."""
    return 0 < len(name) <= _MAX_NAME and name.isprintable() and name == Path(name).name


def _read_parts(part: Path) -> dict[str, Tensor]:
    """Read the tensors of all parts of a split checkpoint without an index, given one of the parts."""
    name, _, count, suffix = PART.fullmatch(part.name).groups()
    parts = [part.with_name(f"{name}-{i + 1:05d}-of-{count}{suffix}") for i in range(min(int(count), _MAX_PARTS))]
    missing = next((path.name for path in parts if not path.is_file()), None)
    if missing:
        raise ModelError(
            f"{part.name!r} is one of {int(count)} parts, and {missing!r} is missing; copy the whole folder again."
        )
    weights: dict[str, Tensor] = {}
    for path in parts:
        weights |= tensors_in(_read(path)[0], path.name)
    return weights


def _read(file: Path) -> tuple[Mapping, Mapping]:
    """Read a file; return a mapping that contains its tensors, and one with its metadata."""
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    found = _read_pickle(file)
    if not isinstance(found, Mapping):
        raise ModelError(f"{file.name!r} holds a {type(found).__name__} instead of weights by name; {_ADVICE}.")
    return found, found


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with file.open("rb") as opened:  # the file begins with the size of its header
        if int.from_bytes(opened.read(8), "little") > MAX_TEXT and file.stat().st_size > MAX_TEXT:
            raise ModelError(f"{file.name!r} lists more tensors than any model has; {_ADVICE}.")
    try:
        with safe_open(file, "pt") as stored:
            return {key: stored.get_tensor(key) for key in stored.keys()}, stored.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise ModelError(f"{file.name!r} is damaged or not a safetensors file; save or copy it again.") from error


def _read_pickle(file: Path) -> object:
    try:
        zipped = zipfile.is_zipfile(file)
        if zipped:
            _refuse_compression(file)
        check_pickles(file)
        # With a memory map, unused tensors such as the optimiser state stay on disk. The lock is needed because
        # PyTorch's list of safe classes is shared by all threads.
        with _reading, torch.serialization.safe_globals(SAFE_GLOBALS):
            return plain(torch.load(file, map_location="cpu", weights_only=True, mmap=zipped))
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        raise ModelError(f"{file.name!r} {_refusal_reason(str(error))}; {_ADVICE}.") from error
    except Exception as error:  # a malicious file can make the unpickler raise nearly any exception
        reason = "is a TorchScript archive" if "TorchScript" in str(error) else "is damaged or not a PyTorch file"
        raise ModelError(f"{file.name!r} {reason}; {_ADVICE}.") from error


class _BoundedReads(io.FileIO):
    """File that refuses to read more than `MAX_TEXT` bytes at once, as `zipfile` does for the list of records."""

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes.

        Raises:
            ModelError: if `size` exceeds `MAX_TEXT`.
        """
        if size > MAX_TEXT:
            raise ModelError(f"{Path(self.name).name!r} has more records than any checkpoint needs; {_ADVICE}.")
        return super().read(size)


def _refuse_compression(file: Path) -> None:
    """Refuse a compressed archive, which could unpack to any size; PyTorch stores without compression."""
    with _BoundedReads(file) as opened, zipfile.ZipFile(opened) as archive:
        records = archive.infolist()
        script = any(
            record.filename.endswith("constants.pkl") for record in records
        )  # TorchScript, which torch.load refuses
        if not script and any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise ModelError(f"{file.name!r} is compressed, which PyTorch's files are not; {_ADVICE}.")


def _refusal_reason(message: str) -> str:
    """Reason for which the unpickler refused a file, from its message."""
    match = re.search(r"GLOBAL ([A-Za-z_][\w.]+)", message) or re.search(r"class ([A-Za-z_]\w*\.[\w.]+)", message)
    if match:
        return f"holds more than weights: its {match[1]} could only be read by running code that the file chooses"
    return "is damaged or not a PyTorch file"


def _arguments(metadata: Mapping) -> dict[str, Any]:
    """Arguments of the model or of its training script that are stored in a file."""
    found: dict[str, Any] = {}
    for key in ("hyper_parameters", "hparams", "config", "args"):  # timm's "args" come last and override the others
        value = metadata.get(key)
        value = vars(value) if isinstance(value, Namespace) else _parsed(value) if isinstance(value, str) else value
        if isinstance(value, Mapping):
            found |= {str(name): inner for name, inner in value.items()}
    return found


def _parsed(text: str) -> object:
    """Parse arguments in YAML, which includes JSON; return the text itself if it is neither."""
    import yaml  # also a dependency of huggingface_hub

    if len(text) > _MAX_ARGUMENTS:
        return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return text


def _architecture(metadata: Mapping, args: Mapping) -> str:
    """Architecture that a training script saved with the weights; "" if it did not."""
    notes = [
        *(metadata.get(key) for key in _ARCHITECTURE_KEYS),
        metadata.get("args"),
        args.get("model"),
        args.get("arch"),
    ]
    return next((note for note in notes if isinstance(note, str) and len(note) < _MAX_NAME), "")


def tensors_in(found: Mapping, file: str) -> dict[str, Tensor]:
    """Collect the tensors of nested mappings, by their keys joined with dots.

    Args:
        found: contents of a file; other containers, such as lists, are skipped.
        file: name of the file for messages.

    Raises:
        ModelError: if there are no tensors, two have the same name, a name or a number of dimensions is not that of a
            weight, or the mappings are nested too deeply or contain themselves.
    """
    weights: dict[str, Tensor] = {}
    seen = 0  # a shared mapping counts each time it is visited, which is the cost of visiting it

    def collect(found: Mapping, before: str, outer: tuple[Mapping, ...]) -> None:
        nonlocal seen
        seen += len(found)
        if len(outer) > _MAX_DEPTH or seen > _MAX_ENTRIES or any(found is one for one in outer):
            raise ModelError(f"{file!r} has mappings that are nested too deeply or too large; {_ADVICE}.")
        for key, value in found.items():
            name = f"{before}{key if isinstance(key, str) else shown(key)}"
            if len(name) > _MAX_KEY or not name.isprintable():
                raise ModelError(f"{file!r} has the key {shown(name)}, which no model has; {_ADVICE}.")
            if isinstance(value, Mapping):
                collect(value, f"{name}.", (*outer, found))
            elif isinstance(value, Tensor):
                if name in weights:
                    raise ModelError(f"{file!r} holds two tensors called {name!r}; {_ADVICE}.")
                if value.ndim > _MAX_NDIM:
                    raise ModelError(
                        f"{name} in {file!r} has {value.ndim:,} dimensions, which no weight has; {_ADVICE}."
                    )
                if not (value.is_nested or value.numel()) and max(value.shape) > _MAX_EMPTY:
                    raise ModelError(f"{name} in {file!r} has no values and the shape {list(value.shape)}; {_ADVICE}.")
                weights[name] = value.detach()

    collect(found, "", ())
    if not weights:
        keys = ", ".join(map(shown, list(found)[:5])) or "none"
        raise ModelError(f"{file!r} holds no weights; its keys are {keys}.")
    return weights


def _bytes_in_memory(tensors: Iterable[Tensor]) -> int:
    """Bytes of memory that the storages of tensors cover, each byte counted once."""
    storages = [value.untyped_storage() for value in tensors]
    ranges = sorted({(storage.data_ptr(), storage.data_ptr() + storage.nbytes()) for storage in storages})
    total, reached = 0, 0
    for start, end in ranges:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


# Buffers of a ViT that hold integers.
_INTEGERS = ("index", "position_ids", "num_batches_tracked")


def check_whole(weights: Mapping[str, Tensor], file: str) -> None:
    """Refuse tensors that are sparse, quantised, larger than their storage, not finite, or mostly the same memory.

    Raises:
        ModelError: if there is one; the message names the first.
    """
    for key, value in weights.items():
        dense = value.layout == torch.strided and value.device.type == "cpu"
        dense = dense and not (value.is_quantized or value.is_nested)
        if not dense or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ModelError(f"{key} in {file!r} is not a dense tensor with a complete storage; {_ADVICE}.")
        is_float = value.is_floating_point() and value.element_size() > 1  # 8-bit floats need scale factors
        if not is_float and not key.endswith(_INTEGERS):
            dtype = str(value.dtype).removeprefix("torch.")
            raise ModelError(f"{key} in {file!r} is {dtype}; save the model in floating point, before quantisation.")
        if is_float and not torch.isfinite(value.float()).all():
            raise ModelError(
                f"{key} in {file!r} has values that are not finite: the training diverged or the file is damaged; use "
                "an earlier checkpoint or copy the file again."
            )
    # A file of a few megabytes can describe a model of many gigabytes whose weights are all the same numbers.
    size = sum(value.numel() * value.element_size() for value in weights.values())
    if size > _MAX_SHARED * _bytes_in_memory(weights.values()):
        raise ModelError(f"{file!r} stores the same numbers for many weights, which no model needs; {_ADVICE}.")
