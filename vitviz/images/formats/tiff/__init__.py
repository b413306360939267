"""Reader of TIFF files, which decodes the full image of the first page according to its tags."""

from dataclasses import dataclass, field

from PIL import Image

from ....errors import ImageError
from ...directories import Directories, Directory
from ...pixels import SafeImage, upright
from . import tags
from .colours import to_rgb_image
from .layout import UnreadableKindError, layout_of
from .segments import samples_of

__all__ = ["read"]

_SEVERAL_PAGES = ("This TIFF has several pages; only its first page is used.",)
_MAX_VERSIONS = 20  # images of one page


@dataclass(eq=False)
class _Page:
    """Images of one page: in full size, and previews."""

    main: Directory
    full: list[Directory] = field(default_factory=list)
    previews: list[Directory] = field(default_factory=list)


def read(data: bytes) -> SafeImage:
    """Read the full image of the first page of a TIFF file; if that is not supported, a preview, with a note.

    Raises:
        ImageError: if it is too large, or not supported.
    """
    directories = Directories(data, tags.USED)
    pages = _pages(directories)
    with_full = [page for page in pages if page.full]
    if with_full:
        page, notes = with_full[0], _SEVERAL_PAGES if len(with_full) > 1 else ()
        candidates = _largest_first(page.full) + _largest_first([each for page in pages for each in page.previews])
    else:
        candidates = _largest_first([each for page in pages for each in page.previews])
        page, notes = pages[0] if pages else None, ("This TIFF is marked as a smaller version of another image.",)
    if not candidates:
        raise ValueError("no image")
    refusal = None
    for directory in candidates:
        try:
            rgb, further = _decoded(data, directory, directories.order)
        except UnreadableKindError as error:
            refusal = refusal or error
            continue
        except (ImageError, ValueError, EOFError, OSError):
            if refusal is None:
                raise
            continue  # an invalid preview
        if refusal:
            notes = (f"The full image of this TIFF is not supported; a preview of {rgb.width} x {rgb.height} is used.",)
        orientation = directory.number(tags.ORIENTATION, page.main.number(tags.ORIENTATION, 1))
        return SafeImage(upright(rgb, orientation), notes + further)
    raise refusal


def _pages(directories: Directories) -> list[_Page]:
    """List the pages of a file, with the images of their sub-directories; cyclic offsets are followed once."""
    pages = []
    offset = directories.first
    while (main := directories.read(offset)) is not None:
        page = _Page(main)
        subs = main.numbers(tags.SUB_DIRECTORIES, ())[:_MAX_VERSIONS]
        for directory in (main, *filter(None, map(directories.read, subs))):
            if tags.WIDTH not in directory.values or directory.number(tags.SUBFILE, 0) & 4:  # not an image, or a mask
                continue
            reduced = directory.number(tags.SUBFILE, 0) & 1 or directory.number(tags.OLD_SUBFILE, 0) == 2
            (page.previews if reduced else page.full).append(directory)
        pages.append(page)
        offset = main.next
    return pages


def _largest_first(images: list[Directory]) -> list[Directory]:
    return sorted(images, key=lambda each: -each.number(tags.WIDTH, 0) * each.number(tags.HEIGHT, 0))


def _decoded(data: bytes, directory: Directory, order: str) -> tuple[Image.Image, tuple[str, ...]]:
    layout = layout_of(directory)
    tables = directory.values.get(tags.JPEG_TABLES)
    samples = samples_of(data, layout, order, None if tables is None else tables.tobytes())
    return to_rgb_image(samples, layout, directory)
