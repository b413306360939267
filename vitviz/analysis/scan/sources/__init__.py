"""Sources of a scan: folders, patterns, lists, WebDataset archives and Parquet files, local or in an object store."""

from __future__ import annotations

import glob as patterns
import re
from itertools import product
from typing import Literal, get_args
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from ....errors import ScanError
from ....errors.arguments import one_of, shown_path
from ..folder import reason_of
from .files import folder_of_images, images_of_list, images_of_pattern, in_order, matching
from .shards import Shards
from .source import Item, Source
from .tables import Tables

__all__ = ["Item", "Labels", "Source", "open_source"]

Labels = Literal["csv", "folders"]
MAX_EXPANDED = 1_000_000  # names that braces stand for
_BRACES = re.compile(r"\{([^{}]*)\}")


def open_source(address: str, labels: Labels | None = None) -> Source:
    """Find the images of a source.

    Args:
        address: folder; pattern with `*`, `?`, `[a-z]` or `**`; CSV file with the column `path`; tar archive; Parquet
            file. A pattern, and braces such as `{000..099}` or `{train,val}`, may stand for several archives or Parquet
            files. Addresses of object stores, such as `s3://bucket/folder`, need the package of fsspec for them.
        labels: `"folders"` for the first folder below the source, `"csv"` for the column `label` of a list; by default
            what the source has: the column `label` of a list or a Parquet file, the .cls members of archives.

    Returns:
        The source, with at least one image.

    Raises:
        ScanError: if it cannot be read, has no image, or does not have these labels.
    """
    if labels is not None:
        one_of(labels, get_args(Labels), "kind of labels", ScanError)
    if not address:
        raise ScanError("The name of the source is empty; give a folder, a pattern or a file.")
    try:
        source = _opened(address, labels)
    except ScanError:
        raise
    except (ImportError, ValueError) as error:  # a protocol that is unknown, or needs another package
        raise ScanError(f"The source {shown_path(_public(address))} cannot be opened ({reason_of(error)}).") from error
    except Exception as error:  # file systems raise errors of their own libraries
        raise ScanError(
            f"The source {shown_path(_public(address))} cannot be read ({reason_of(error)}); check its name and "
            "permissions."
        ) from error
    if not len(source):
        raise ScanError(
            f"There is no image in {shown_path(_public(address))}; give a folder, a pattern, a CSV list, tar archives "
            "or Parquet files with images."
        )
    return source


def _opened(address: str, labels: Labels | None) -> Source:
    names = _expanded(address)
    fs, path = fsspec.core.url_to_fs(names[0])
    paths = [fs._strip_protocol(name) for name in names]
    uri = str(path) if isinstance(fs, LocalFileSystem) and names == [address] else _public(address)
    ending = path.rpartition("/")[2].rpartition(".")[2].lower()
    if labels == "csv" and ending != "csv":
        raise ScanError("Only a list in a CSV file has labels of this kind; give its name, or use --labels folders.")
    if isinstance(fs, LocalFileSystem) and names != [address]:
        uri = fs._strip_protocol(address)
    if ending in ("tar", "parquet"):
        root, members = _together(fs, paths)
        if ending == "tar":
            return Shards(uri, fs, root, members, labels)
        if labels:
            raise ScanError("Parquet files have no folders of labels; leave out --labels to use their column label.")
        return Tables(uri, fs, root, members)
    if names != [address]:
        raise ScanError("Braces stand for tar archives or Parquet files only; use a pattern with * for images.")
    if fs.isdir(path):
        return folder_of_images(fs, path, uri, labels)
    if ending == "csv" and fs.isfile(path):
        return images_of_list(fs, path, uri, labels)
    if not patterns.has_magic(path) and not fs.exists(path):
        raise ScanError(f"There is no file or folder {shown_path(_public(address))}; check its name.")
    return images_of_pattern(fs, path, uri, labels)


def _together(fs: AbstractFileSystem, paths: list[str]) -> tuple[str, list[str]]:
    """Return the folder of all files that the paths or patterns stand for, and their names in it, in natural order."""
    found = []
    for path in paths:
        root, names = matching(fs, path) if patterns.has_magic(path) else ("", [path])
        found += [f"{root}/{name}" if root else name for name in names]
    absent = next((path for path in found if not fs.isfile(path)), None)
    if absent is not None:
        raise ScanError(f"There is no file {shown_path(absent)}; check its name.")
    folders = [path.split("/")[:-1] for path in found]
    common: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    root = "/".join(common)
    return root, in_order([path[len(root) :].lstrip("/") for path in dict.fromkeys(found)])


def _expanded(address: str) -> list[str]:
    """Return the names that braces stand for: `{000..099}` for numbers, `{a,b}` for alternatives."""
    pieces = _BRACES.split(address)  # text and contents of braces alternate
    choices = [[piece] if i % 2 == 0 else _choices(piece) for i, piece in enumerate(pieces)]
    count = 1
    for several in choices:
        count *= len(several)
    if count > MAX_EXPANDED:
        raise ScanError(f"The braces stand for {count:,} files; use at most {MAX_EXPANDED:,}.")
    return ["".join(parts) for parts in product(*choices)]


def _choices(inside: str) -> list[str]:
    numbers = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", inside)
    if numbers is None:
        return inside.split(",") if "," in inside else [f"{{{inside}}}"]
    first, last = numbers.groups()
    if int(last) - int(first) >= MAX_EXPANDED:
        raise ScanError(f"The braces {inside!r} stand for too many files; use at most {MAX_EXPANDED:,}.")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _public(address: str) -> str:
    """Return an address without a password."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    if "@" not in parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
