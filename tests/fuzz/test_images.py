"""vitviz.images.read_image: any bytes give an image or a refusal, within bounds of time and memory."""

import io
import struct
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.hostile.images import SMALL_FILES
from tests.support.hostile.limits import handled
from tests.support.hostile.strategies import mutated
from tests.support.image_files import png_chunk
from tests.support.tiff_files import one_picture, tags_of
from vitviz.images import read_image
from vitviz.images.limits import MAX_PIXELS, MIN_SIDE

pytestmark = pytest.mark.filterwarnings("ignore")
KINDS = tuple(SMALL_FILES)
PNGS = [data for kind, data in SMALL_FILES.items() if kind.startswith("PNG")]


@pytest.fixture(scope="session")
def read(folder):
    """Function that reads bytes or a PIL image, and checks the outcome."""
    last = folder / "image"

    def check(data: bytes, source: Image.Image | None = None) -> None:
        last.write_bytes(data)
        image = handled(lambda: read_image(data if source is None else source))
        if image is not None:
            assert image.rgb.mode == "RGB"
            assert min(image.rgb.size) >= MIN_SIDE
            assert image.rgb.width * image.rgb.height <= MAX_PIXELS
            assert len(image.rgb.tobytes()) == 3 * image.rgb.width * image.rgb.height

    return check


@given(st.sampled_from(KINDS).flatmap(lambda kind: mutated(SMALL_FILES[kind])))
def test_files_with_changed_bytes(read, data):
    read(data)


@given(st.sampled_from(KINDS).flatmap(lambda kind: mutated(SMALL_FILES[kind])))
def test_files_that_pillow_has_opened(read, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
        except Exception:  # of the caller, who opens it
            return
    read(data, image)


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), st.integers(1, 400), st.integers(0, 400))
def test_the_start_of_one_file_and_the_end_of_another(read, first, second, start, end):
    read(SMALL_FILES[first][:start] + SMALL_FILES[second][end:])


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and contents of the chunks of a PNG."""
    found, at = [], 8
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        found.append((name, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


@st.composite
def pngs(draw: st.DrawFn) -> bytes:
    """Chunks with right checksums, of which some are changed, missing or in another order."""
    chunks = chunks_of(draw(st.sampled_from(PNGS)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(chunks) - 1))
        name, body = chunks[place]
        change = draw(st.sampled_from(("body", "body", "body", "remove", "copy", "name")))
        if change == "body":
            chunks[place] = name, draw(mutated(body))
        elif change == "name":
            chunks[place] = draw(st.sampled_from((b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"))), body
        elif change == "copy" or len(chunks) == 1:
            chunks.insert(draw(st.integers(0, len(chunks))), (name, body))
        else:
            del chunks[place]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, body) for name, body in chunks)


@given(pngs())
def test_pngs_with_right_checksums(read, data):
    read(data)


_NUMBERS = st.sampled_from((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 32, 64, 65_535, 2**31, 2**32 - 1)) | st.integers(
    0, 99
)
_COMPRESSIONS = st.sampled_from((1, 2, 3, 4, 5, 6, 7, 8, 32946, 32773, 34925, 50000))
_TAGS = (254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325)
_TAGS += (330, 332, 338, 339, 347, 529, 530, 532)


@st.composite
def tiffs(draw: st.DrawFn) -> bytes:
    """TIFF files with likely and unlikely numbers in any tags."""
    bits, samples = draw(st.sampled_from((1, 2, 4, 8, 12, 16, 32, 64))), draw(st.integers(1, 4))
    tags = tags_of(
        draw(st.integers(8, 40)),
        draw(st.integers(8, 40)),
        bits,
        draw(st.sampled_from((0, 1, 2, 3, 5, 6, 8, 9))),
        samples,
        planar=draw(st.integers(1, 2)),
        form=draw(st.integers(1, 3)),
        compression=draw(_COMPRESSIONS),
    )
    for tag in draw(st.lists(st.sampled_from(_TAGS), max_size=3)):
        tags[tag] = draw(st.sampled_from((1, 3, 4, 5))), draw(st.lists(_NUMBERS, min_size=2, max_size=8))
    tags = {tag: _fitting(kind, numbers) for tag, (kind, numbers) in tags.items()}
    segments = draw(st.lists(st.binary(max_size=60).map(lambda part: part * 100), min_size=1, max_size=4))
    return one_picture(segments, tags, draw(st.sampled_from("<>")), draw(st.booleans()))


def _fitting(kind: int, numbers: list[int]) -> tuple[int, list[int]]:
    """Numbers of a tag that its type can hold; rationals are pairs."""
    largest = {1: 2**8, 3: 2**16}.get(kind, 2**32)
    return kind, [number % largest for number in (numbers[: len(numbers) // 2 * 2] if kind == 5 else numbers)]


@given(tiffs())
def test_tiffs_with_any_tags(read, data):
    read(data)
