"""Opening of a scan. pyarrow is imported when a scan is opened, because the library works without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors.arguments import typed
from ...errors.brief import brief
from ...notation.extras import require

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.dataset


@brief
@dataclass(frozen=True, eq=False)
class Scan:
    """Scan of a data set, see `open_scan`. Tables are read when they are queried.

    Attributes:
        folder: path or address of its folder.
        about: content of `run.json`, see docs/data-format.md.
    """

    folder: str
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return self.images.count_rows()

    @property
    def is_complete(self) -> bool:
        """True if all shards have been written."""
        return self.about["state"] == "complete"

    @cached_property
    def images(self) -> pyarrow.dataset.Dataset:
        """Table with one row for each image: pyarrow dataset of the complete shards."""
        from .schema import IMAGES, images_file

        return self._dataset(images_file, IMAGES)

    @cached_property
    def tokens(self) -> pyarrow.dataset.Dataset:
        """Table of patch tokens: pyarrow dataset of the complete shards, without rows if none were asked for."""
        from .schema import TOKENS, tokens_file

        return self._dataset(tokens_file, TOKENS)

    @property
    def errors(self) -> pyarrow.Table:
        """Table of the images that could not be read; it is written when the scan is complete."""
        import pyarrow.parquet

        from .folder import Folder
        from .schema import ERRORS, ERRORS_FILE

        folder = Folder(self.folder)
        if not folder.has(ERRORS_FILE):
            return ERRORS.empty_table()
        with folder.fs.open(folder.at(ERRORS_FILE), "rb") as file:
            return pyarrow.parquet.read_table(file)

    def _dataset(self, file_of: Any, schema: pyarrow.Schema) -> pyarrow.dataset.Dataset:
        import pyarrow.dataset

        from .folder import Folder
        from .schema import shard_of

        folder = Folder(self.folder)
        names = set(folder.names())
        # Where a shard of `images` is, the one of `tokens` is complete too.
        shards = sorted(shard for name in names if (shard := shard_of(name)) is not None)
        files = [folder.at(name) for name in map(file_of, shards) if name in names]
        return pyarrow.dataset.dataset(files, schema=schema, filesystem=folder.fs, format="parquet")


@typed
def open_scan(folder: str | Path) -> Scan:
    """Open a scan that `vitviz scan` or `vitviz.scan` wrote, also one that is not complete.

    Args:
        folder: path of its folder, or its address in an object store.

    Returns:
        The scan; its tables are read when they are queried.

    Raises:
        ScanError: if the folder holds no scan, or one in a version of the format that this vitviz does not read.
        VitvizError: if pyarrow is not installed.
    """
    require("data", "A scan")
    from .about import read_about
    from .folder import Folder

    place = Folder(str(folder))
    return Scan(str(folder), read_about(place))
