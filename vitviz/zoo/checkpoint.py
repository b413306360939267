"""A checkpoint file as tensors by name, trusting nothing.

A safetensors file holds nothing but numbers. A pickle is read by `torch.load(weights_only=True)`, which builds tensors
and plain containers and runs nothing that the file chooses; a file that wants more is refused with what it wanted.
"""

import io
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
from ..errors.arguments import shown
from .folders import FOLDER_FILES, INDEX_FILES, MAX_TEXT, PART, checkpoint_file, read_json
from .pickles import check_pickles, plain
from .plain_values import STAND_INS

_ARCHITECTURE_KEYS = ("arch", "architecture", "model_name")
_CLASS_KEYS = ("class_to_idx", "idx_to_class", "class_names", "classes")
_MAX_PARTS = 1_000
_MAX_DEPTH = 12  # of containers in containers; training scripts need three or four
_MAX_ENTRIES = 1_000_000
_MAX_ARGUMENTS = 20_000  # letters
_MAX_NAME = 200  # letters
_MAX_AXES = 16  # of a tensor; weights have up to four
_LONGEST_KEY = 300  # letters; messages repeat a few keys
_reading = threading.Lock()
_ADVICE = "save the weights alone, with safetensors or torch.save(model.state_dict(), path)"


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights, with what it and the JSON files beside it say.

    Attributes:
        name: of the file without its suffix, or of its folder; what the model is called.
        weights: tensors by key; where a file has mappings in mappings, their keys are joined with dots.
        arch: the architecture that the file names, or "".
        args: the arguments of the training script that the file names, or {}.
        classes: the class names that the file gives, in whatever form, or None.
        config: its `config.json`, or {}.
        preprocessor: its `preprocessor_config.json`, or {}.
        path: name of the file, with its folder if that is what it goes by; "" for weights in memory.
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
        """Name of it in messages."""
        return self.path or self.name


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a file of weights, or the folder that a training run left behind, with the JSON files beside it.

    Raises:
        ModelError: if it cannot be read, or could only be read by running code; the message says why.
    """
    file = checkpoint_file(Path(path))
    # Files of these names describe whatever stands in their folder, so they are only asked about the file they go with.
    is_part = PART.fullmatch(file.name) is not None
    described = file.name in FOLDER_FILES or is_part
    if file.name in INDEX_FILES or is_part:
        found, said = _read_parts(file) if is_part else _read_shards(file), {}
    else:
        found, said = _read(file)
    args = _arguments(said)
    folder = file.parent.resolve().name
    return Checkpoint(
        name=folder if described else file.stem,
        path=f"{folder}/{file.name}" if described else file.name,
        weights=tensors_in(found, file.name),
        arch=_architecture(said, args),
        args=args,
        classes=next((found for key in _CLASS_KEYS if isinstance(found := said.get(key), dict | list | tuple)), None),
        config=read_json(file.with_name("config.json")) if described else {},
        preprocessor=read_json(file.with_name("preprocessor_config.json")) if described else {},
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by the keys of the innermost mapping that holds them all.

    Raises:
        ModelError: as `read_checkpoint`.
    """
    weights = tensors_in(_read(path)[0], path.name)
    while len(outer := {key.partition(".")[0] for key in weights}) == 1:
        weights = {key.partition(".")[2]: value for key, value in weights.items()}
        if "" in weights:
            raise ModelError(f"{path.name!r} holds one tensor, {outer.pop()!r}, and no weights of a model.")
    check_whole(weights, path.name)
    return weights


def _read_shards(index: Path) -> dict[str, Tensor]:
    """The tensors of all files that an index names."""
    said = read_json(index).get("weight_map")
    files = list(said.values()) if isinstance(said, dict) else []
    if not files or not all(isinstance(file, str) and file == Path(file).name for file in files):
        raise ModelError(f"{index.name!r} does not name the files beside it that hold the weights; save it again.")
    weights: dict[str, Tensor] = {}
    for file in sorted({*files}):
        path = index.with_name(file)
        if not path.is_file():
            raise ModelError(f"{index.name!r} names {file!r}, which is not there; copy the whole folder again.")
        weights |= tensors_in(_read(path)[0], file)
    missing = said.keys() - weights.keys()
    if missing:
        raise ModelError(
            f"{index.name!r} promises {len(missing)} weights that its files do not hold, such as {min(missing)!r}; "
            "copy the whole folder again."
        )
    return weights


def _read_parts(part: Path) -> dict[str, Tensor]:
    """Tensors of all parts of which a file is one, where no index names them."""
    name, _, count, suffix = PART.fullmatch(part.name).groups()
    parts = [part.with_name(f"{name}-{i + 1:05d}-of-{count}{suffix}") for i in range(min(int(count), _MAX_PARTS))]
    missing = next((path.name for path in parts if not path.is_file()), None)
    if missing:
        raise ModelError(
            f"{part.name!r} is one of {int(count)} parts, and {missing!r} is not there; copy the whole folder again."
        )
    weights: dict[str, Tensor] = {}
    for path in parts:
        weights |= tensors_in(_read(path)[0], path.name)
    return weights


def _read(file: Path) -> tuple[Mapping, Mapping]:
    """The tensors of a file, perhaps among other things, and what it says about them."""
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    found = _read_pickle(file)
    if not isinstance(found, Mapping):
        raise ModelError(f"{file.name!r} holds a {type(found).__name__} and no weights by name; {_ADVICE}.")
    return found, found


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with file.open("rb") as opened:  # the format's first number: how long its table of contents is
        if int.from_bytes(opened.read(8), "little") > MAX_TEXT and file.stat().st_size > MAX_TEXT:
            raise ModelError(f"{file.name!r} lists more tensors than any model has; {_ADVICE}.")
    try:
        with safe_open(file, "pt") as stored:
            return {key: stored.get_tensor(key) for key in stored.keys()}, stored.metadata() or {}  # noqa: SIM118
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
        # A memory map leaves on the disk what is not used, such as an optimiser's state. PyTorch's list of classes that
        # may be read is one for all threads.
        with _reading, torch.serialization.safe_globals(STAND_INS):
            return plain(torch.load(file, map_location="cpu", weights_only=True, mmap=zipped))
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        raise ModelError(f"{file.name!r} {_wanted(str(error))}; {_ADVICE}.") from error
    except Exception as error:  # hostile bytes can make the unpickler raise nearly anything
        reason = "is a TorchScript archive" if "TorchScript" in str(error) else "is damaged or no PyTorch file"
        raise ModelError(f"{file.name!r} {reason}; {_ADVICE}.") from error


class _BoundedReads(io.FileIO):
    """A file of which no more than `MAX_TEXT` bytes are read at once, as `zipfile` reads the list of all records."""

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes.

        Raises:
            ModelError: if they are more than the list of the records of any checkpoint has.
        """
        if size > MAX_TEXT:
            raise ModelError(f"{Path(self.name).name!r} has more records than any checkpoint needs; {_ADVICE}.")
        return super().read(size)


def _refuse_compression(file: Path) -> None:
    """PyTorch stores without compression; what is compressed could unpack to any size."""
    with _BoundedReads(file) as opened, zipfile.ZipFile(opened) as archive:
        records = archive.infolist()
        script = any(record.filename.endswith("constants.pkl") for record in records)  # refused unread, by name
        if not script and any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise ModelError(f"{file.name!r} is compressed, which PyTorch's files are not; {_ADVICE}.")


def _wanted(message: str) -> str:
    """Why the unpickler refused, from its message."""
    wanted = re.search(r"GLOBAL ([A-Za-z_][\w.]+)", message) or re.search(r"class ([A-Za-z_]\w*\.[\w.]+)", message)
    if wanted:
        return f"holds more than weights: its {wanted[1]} could only be read by running code that the file chooses"
    return "is damaged or no PyTorch file"


def _arguments(said: Mapping) -> dict[str, Any]:
    """Arguments with which a model was made or trained, from wherever a training script keeps them in its file."""
    found: dict[str, Any] = {}
    for key in ("hyper_parameters", "hparams", "config", "args"):  # timm's own come last, and win
        value = said.get(key)
        value = vars(value) if isinstance(value, Namespace) else _parsed(value) if isinstance(value, str) else value
        if isinstance(value, Mapping):
            found |= {str(name): inner for name, inner in value.items()}
    return found


def _parsed(text: str) -> object:
    """Arguments written as YAML, of which JSON is a part; the text itself if it is none."""
    import yaml  # huggingface_hub needs it too

    if len(text) > _MAX_ARGUMENTS:
        return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return text


def _architecture(said: Mapping, args: Mapping) -> str:
    """Architecture that a training script noted beside the weights; "" if it did not."""
    notes = [*(said.get(key) for key in _ARCHITECTURE_KEYS), said.get("args"), args.get("model"), args.get("arch")]
    return next((note for note in notes if isinstance(note, str) and len(note) < _MAX_NAME), "")


def tensors_in(found: Mapping, file: str) -> dict[str, Tensor]:
    """All tensors of mappings in mappings, by their keys joined with dots.

    Args:
        found: what a file holds; containers of other kinds, such as lists, are passed over.
        file: what to call it in messages.

    Raises:
        ModelError: if there are none, two have the same name, a name or a number of axes is of no weight, or the
            mappings are nested deeply or in themselves.
    """
    weights: dict[str, Tensor] = {}
    seen = 0  # mappings that are shared count as often as they are reached, which is what walking them costs

    def collect(found: Mapping, before: str, outer: tuple[Mapping, ...]) -> None:
        nonlocal seen
        seen += len(found)
        if len(outer) > _MAX_DEPTH or seen > _MAX_ENTRIES or any(found is one for one in outer):
            raise ModelError(f"{file!r} has mappings that are nested without an end; {_ADVICE}.")
        for key, value in found.items():
            name = f"{before}{key if isinstance(key, str) else shown(key)}"
            if len(name) > _LONGEST_KEY or not name.isprintable():
                raise ModelError(f"{file!r} has the key {shown(name)}, which no model has; {_ADVICE}.")
            if isinstance(value, Mapping):
                collect(value, f"{name}.", (*outer, found))
            elif isinstance(value, Tensor):
                if name in weights:
                    raise ModelError(f"{file!r} holds two tensors called {name!r}; {_ADVICE}.")
                if value.ndim > _MAX_AXES:
                    raise ModelError(f"{name} in {file!r} has {value.ndim:,} axes, which no weight has; {_ADVICE}.")
                weights[name] = value.detach()

    collect(found, "", ())
    if not weights:
        keys = ", ".join(map(shown, list(found)[:5])) or "none"
        raise ModelError(f"{file!r} holds no weights; its keys are {keys}.")
    return weights


# What is counted in a ViT's own weights, and so a whole number.
_COUNTED = ("index", "position_ids", "num_batches_tracked")


def check_whole(weights: Mapping[str, Tensor], file: str) -> None:
    """Refuse tensors that are not finite numbers stored whole: sparse, quantised, or larger than their file.

    Raises:
        ModelError: naming the first of them.
    """
    for key, value in weights.items():
        whole = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not whole or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ModelError(f"{key} in {file!r} is not a plain tensor that is stored whole; {_ADVICE}.")
        in_full = value.is_floating_point() and value.element_size() > 1  # numbers of 8 bits need factors beside them
        if not in_full and not key.endswith(_COUNTED):
            kind = str(value.dtype).removeprefix("torch.")
            raise ModelError(f"{key} in {file!r} is {kind}; save the model in floating point, before it is quantised.")
        if in_full and not torch.isfinite(value.float()).all():
            raise ModelError(
                f"{key} in {file!r} has numbers that are not finite: the training has diverged or the file is damaged; "
                "use an earlier checkpoint or copy it again."
            )
