"""Load models from the Hugging Face hub by the name of their repository."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..errors.progress import Progress
from ..trace.vision_transformer import VisionTransformer
from .folders import FOLDER_FILES, INDEX_FILES
from .hub import Source, optional_file, weights_of
from .options import NO_OPTIONS, Options
from .restore import load_checkpoint

_NAME = re.compile(
    r"(?P<scheme>hf[-_]hub:)?(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?", re.ASCII
)


@dataclass(frozen=True)
class Repository:
    """A repository on the hub.

    Attributes:
        name: owner and name, such as `"facebook/dinov2-small"`.
        revision: branch, tag or commit; None for the newest.
        is_explicit: True if the name was given with `hf-hub:`, so that it cannot be a path.
    """

    name: str
    revision: str | None
    is_explicit: bool


def repository_of(name: str) -> Repository | None:
    """Parse the name of a repository, such as `"facebook/dinov2-small"` or `"hf-hub:timm/vit_tiny_patch16_224@main"`.

    Returns:
        The repository; None if this is not a valid name.
    """
    match = _NAME.fullmatch(name)
    return Repository(match["repository"], match["revision"], bool(match["scheme"])) if match else None


def load_repository(
    repository: Repository, options: Options = NO_OPTIONS, progress: Progress | None = None
) -> VisionTransformer:
    """Load a model from the hub; download it if it is not in the Hugging Face cache.

    Args:
        repository: the repository on the hub.
        options: options of the checkpoint.
        progress: function called with the bytes downloaded so far and the total.

    Raises:
        ModelError: if there are no weights, they cannot be downloaded, or they are not those of a plain ViT.
    """
    try:
        path = _downloaded(repository, progress)
    except ModelError as error:
        if repository.is_explicit:
            raise
        raise ModelError(f"{str(error).rstrip('.')}; there is no file of that name either.") from error
    return load_checkpoint(path, options, name=repository.name.partition("/")[2])


def _downloaded(repository: Repository, progress: Progress | None) -> Path:
    """Path of the downloaded weights; the JSON files that describe them are in the same folder."""
    path = weights_of(repository.name, Source(repository.name, FOLDER_FILES, repository.revision), progress)
    for file in ("config.json", "preprocessor_config.json"):
        optional_file(repository.name, Source(repository.name, (file,), repository.revision))
    if path.name in INDEX_FILES:
        for shard in _shards(path):
            weights_of(repository.name, Source(repository.name, (shard,), repository.revision), progress)
    return path


def _shards(index: Path) -> list[str]:
    try:
        return sorted({str(file) for file in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{index.name!r} on the hub does not list the files with the weights; choose another repository."
        ) from error
