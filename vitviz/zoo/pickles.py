"""Check pickles before they are unpickled, and convert the result to plain containers and tensors."""

from __future__ import annotations

import mmap
from pathlib import Path

import torch
from torch import Tensor

from ..errors import ModelError
from .opcodes import MAX_BYTES, EndedError, Scan, TooMuchError

# Pickles in a file from PyTorch before 1.6: magic number, version, system information, content, storage keys.
LEGACY_PICKLES = 5


def check_pickles(file: Path) -> None:
    """Refuse a file whose pickles create more objects than a checkpoint needs, or an object that contains itself.

    The bytes checked are those that `torch.load` reads: the record data.pkl of a zip archive, or the pickles at the
    beginning of a file.

    Raises:
        ModelError: if the file exceeds a limit of `vitviz.zoo.opcodes`.
        Exception: of any kind, if the file is damaged and torch cannot read it either.
    """
    try:
        with file.open("rb") as opened:
            if opened.read(4) == b"PK\x03\x04":  # the test of torch for zip archives
                data, count = _record(file), 1
            else:
                data, count = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ), LEGACY_PICKLES
        scan, at = Scan(file.stat().st_size), 0
        for _ in range(count):
            if at < len(data):
                at = scan.read(data, at)
    except TooMuchError as error:
        raise ModelError(
            f"{file.name!r} {error}, which no checkpoint needs; save only the weights, with safetensors or "
            "torch.save(model.state_dict(), path)."
        ) from error
    except EndedError:
        return


def plain(value: object, _converted: dict[int, object] | None = None) -> object:
    """Convert dictionaries, lists, tuples and tensors to exactly these types, without attributes set by the file.

    A pickle can set attributes of an OrderedDict or a tensor, and so replace methods such as `get` or `numel`.

    Args:
        value: result of `torch.load` on a file that `check_pickles` accepted.
    """
    converted = {} if _converted is None else _converted  # by id; shared objects are converted once
    if id(value) not in converted:
        kind = next((kind for kind in (Tensor, dict, list, tuple) if isinstance(value, kind)), None)
        if kind is Tensor:
            new = value if type(value) is Tensor and not vars(value) else Tensor.detach(value)
        elif kind is dict:
            new = {key: plain(item, converted) for key, item in dict.items(value)}
        elif kind in (list, tuple) and type(value) is kind:
            new = kind(plain(item, converted) for item in value)
        else:
            new = value
        converted[id(value)] = new
    return converted[id(value)]


def _record(file: Path) -> bytes:
    reader = torch._C.PyTorchFileReader(
        str(file)
    )  # torch's own reader, so that both read the same record of a malformed archive
    if "constants.pkl" in reader.get_all_records():  # TorchScript, which torch.load refuses
        raise EndedError
    if reader.get_record_size("data.pkl") > MAX_BYTES:
        raise TooMuchError(f"has a pickle of more than {MAX_BYTES // 1_000_000} MB beside its weights")
    return reader.get_record("data.pkl")
