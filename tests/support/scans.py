"""Sources of images for scans, and their results."""

import io
import tarfile
from pathlib import Path

import pyarrow as pa

import vitviz
from tests.support.taught_images import image
from vitviz.analysis.scan.sources.source import Source

NOT_AN_IMAGE = b"no image"
COUNT, SIZE = 23, 5  # images, and images of a shard


def write_images(folder: Path, count: int, *, side: int = 40) -> list[bytes]:
    """Write images 0.png, 1.png, ... of two kinds into a folder, and return their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    data = [image(i % 2, i, side) for i in range(count)]
    for i, one in enumerate(data):
        (folder / f"{i}.png").write_bytes(one)
    return data


def tar_of(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """Return an archive with these members; a `TarInfo` is written as it is, without data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return buffer.getvalue()


def contents(source: Source) -> list[tuple[str, str | None, bytes]]:
    """Path, label and bytes of every image; positions must count from 0."""
    items = list(source.items(0, len(source)))
    assert [item.position for item in items] == list(range(len(source)))
    return [(item.path, item.label, item.read()) for item in items]


def rows_of(scan) -> tuple[pa.Table, pa.Table, pa.Table]:
    """All rows of the three tables of a scan, by position."""
    images = scan.images.to_table().sort_by("position")
    tokens = scan.tokens.to_table().sort_by([("position", "ascending"), ("layer", "ascending")])
    return images, tokens, scan.errors.sort_by("position")


def scanned(folder, model, out, **options):
    """Scan a folder whose subfolders are labels."""
    return vitviz.scan(folder, model, out, shard_size=SIZE, **{"labels": "folders"} | options)
