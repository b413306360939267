"""Find the file of weights for a path: the file itself, the weights in a folder, or the index of several files."""

import json
import re
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..errors.arguments import shown_path
from ..notation.marks import join_words

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
# Files in the folder of a training run: the weights in a single file, or an index of several.
WHOLE_FILES = ("model.safetensors", "pytorch_model.bin")
INDEX_FILES = tuple(f"{file}.index.json" for file in WHOLE_FILES)
FOLDER_FILES = (*WHOLE_FILES, *INDEX_FILES)

MAX_TEXT = 10_000_000  # bytes of a JSON file, and of the header of a safetensors file
PART = re.compile(r"(model|pytorch_model)-([0-9]{5})-of-([0-9]{5})(\.\w+)")


def checkpoint_file(path: Path) -> Path:
    """Return the file of weights for a path: the file itself, the weights in a folder, or the index that lists it.

    Raises:
        ModelError: if there is no such file, or it is empty.
    """
    try:
        is_folder = path.is_dir()
        exists = is_folder or path.is_file()
    except OSError as error:  # for example, a name that is too long for the file system
        raise ModelError(f"The file {shown_path(path)} cannot be read; check its path.") from error
    if is_folder:
        names = (*FOLDER_FILES, *sorted(part.name for part in path.iterdir() if PART.fullmatch(part.name))[:1])
        file = next((path / name for name in names if (path / name).is_file()), None)
        if file is None:
            raise _no_weights_in(path)
        path = file
    if not exists:
        raise ModelError(f"There is no file {shown_path(path)}; check its path.")
    if not path.stat().st_size:
        raise ModelError(f"{path.name!r} is empty; save or copy it again.")
    if path.name.startswith("adapter_") and path.with_name("adapter_config.json").is_file():
        raise adapter_error(path.name)
    part = PART.fullmatch(path.name)
    index = path.with_name(f"{part[1]}{part[4]}.index.json") if part else path
    return index if index.is_file() else path


def parts_of(file: Path) -> list[Path]:
    """List the files with the weights: the file itself, or an index and the files in its folder."""
    if not file.name.endswith(".index.json"):
        return [file]
    return [file, *(path for path in file.parent.iterdir() if PART.fullmatch(path.name))]


def _no_weights_in(folder: Path) -> ModelError:
    if (folder / "adapter_config.json").is_file():
        return adapter_error(folder.name)
    if (folder / ".metadata").is_file():
        return ModelError(
            f"{shown_path(folder)} is a checkpoint of torch.distributed; convert it to a single file with "
            "torch.distributed.checkpoint.format_utils.dcp_to_torch_save(folder, 'weights.pth') and load that."
        )
    saved = _saved_in(folder)
    if saved:
        best = _best_of(folder, saved)
        names = [path.name for path in saved]
        names = names if len(names) <= 4 else [names[0], "...", names[-1]]
        reason = "the best one according to trainer_state.json" if best else "the last one"
        return ModelError(
            f"{shown_path(folder)} holds no weights, but the subfolders {join_words(names, 'and')} do; load "
            f"{shown_path(best or saved[-1])}, {reason}."
        )
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    advice = f"one of its files, such as {shown_path(files[0])}" if files else "the file that holds the weights"
    advice = shown_path(files[0]) if len(files) == 1 else advice
    return ModelError(f"{shown_path(folder)} is a folder without {' or '.join(WHOLE_FILES)}; load {advice}.")


def _saved_in(folder: Path) -> list[Path]:
    """Folders of intermediate checkpoints saved by transformers' Trainer, such as `checkpoint-500`, sorted by step."""
    found = [path for path in folder.iterdir() if re.fullmatch(r"checkpoint-[0-9]{1,15}", path.name)]
    files = (*FOLDER_FILES, "adapter_config.json")
    with_weights = [path for path in found if any((path / name).is_file() for name in files)]
    return sorted(with_weights, key=lambda path: int(path.name.rpartition("-")[2]))


def _best_of(folder: Path, saved: list[Path]) -> Path | None:
    """Best of these folders according to the newest trainer_state.json; None if it names none of them."""
    for place in (folder, *reversed(saved)):
        try:
            best = read_json(place / "trainer_state.json").get("best_model_checkpoint")
        except ModelError:  # a damaged file only makes the advice less specific
            continue
        if isinstance(best, str):  # a path on the machine used for training
            name = re.split(r"[/\\]", best)[-1]
            return next((path for path in saved if path.name == name), None)
    return None


def adapter_error(name: str) -> ModelError:
    """Error for an adapter, such as LoRA, without its base model."""
    return ModelError(
        f"{name!r} holds an adapter such as LoRA and not a complete model; merge it into its base model with "
        "model = PeftModel.from_pretrained(base, folder).merge_and_unload(), save that with "
        "model.save_pretrained('merged'), and load 'merged'."
    )


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; {} if there is no such file."""
    if not file.is_file():
        return {}
    if file.stat().st_size > MAX_TEXT:
        raise ModelError(f"{file.name} beside the weights is too large; write it again or remove it.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file.name} beside the weights is not valid JSON; write it again or remove it.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file.name} beside the weights is not a JSON object; write it again or remove it.")
    return content
