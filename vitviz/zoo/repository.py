"""Models by the name of their repository on the Hugging Face hub, as on the model's page there."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..model import VisionTransformer
from .checkpoint import FOLDER_FILES, INDEX_FILES
from .hub import Progress, Source, optional_file, weights_of
from .options import NOTHING_SAID, Options
from .restore import load_checkpoint

_NAME = re.compile(
    r"(?P<scheme>hf[-_]hub:)?(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?", re.ASCII
)


@dataclass(frozen=True)
class Repository:
    """A repository on the hub.

    Attributes:
        name: owner and name, such as `"facebook/dinov2-small"`.
        revision: branch, tag or commit; None for its newest.
        is_explicit: whether it was written with `hf-hub:`, so that it cannot be meant as a path.
    """

    name: str
    revision: str | None
    is_explicit: bool


def repository_of(name: str) -> Repository | None:
    """The repository that a name means, such as `"facebook/dinov2-small"` or `"hf-hub:timm/vit_tiny_patch16_224@main"`.

    Returns:
        None for a name that no repository can have.
    """
    match = _NAME.fullmatch(name)
    return Repository(match["repository"], match["revision"], bool(match["scheme"])) if match else None


def load_repository(
    repository: Repository, options: Options = NOTHING_SAID, progress: Progress | None = None
) -> VisionTransformer:
    """Load a model from the hub, downloaded if it is not on this disk.

    Args:
        repository: where it is.
        options: what is said of it.
        progress: is told how many bytes are here, and how many there will be.

    Raises:
        ModelError: if there are no weights, they cannot be had, or are not those of a plain ViT.
    """
    try:
        path = _downloaded(repository, progress)
    except ModelError as error:
        if repository.is_explicit:
            raise
        raise ModelError(f"{str(error).rstrip('.')}; nor is there a file of that name.") from error
    return load_checkpoint(path, options, name=repository.name.partition("/")[2])


def _downloaded(repository: Repository, progress: Progress | None) -> Path:
    """The weights on this disk, with what describes them beside them."""
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
        raise ModelError(f"{index.name!r} on the hub does not name the files that hold the weights.") from error
