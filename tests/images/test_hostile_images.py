"""vitviz.images refuses invalid files in one sentence, and decodes nothing that is too large."""

import re
import struct
import tracemalloc
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from tests.support.facts import assert_mentions, mentions
from tests.support.image_files import (
    FORMAT_TABLE,
    RAMP16,
    assert_one_sentence,
    column,
    encoded,
    heic,
    noise,
    png_chunk,
    quarters,
    several,
    with_transparent_index,
)
from tests.support.tiff_files import one_picture, tags_of
from vitviz.errors import ImageError, VitvizError
from vitviz.images import read_image

# --- Reading: refusals -----------------------------------------------------------------------------------------------


def png_claiming(width, height):
    """Create a PNG of a few bytes whose header claims a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def bmp_claiming(width, height):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 154, 0, 0, 54) + head + bytes(100)


def gif_claiming(width, height):
    data = bytearray(encoded(quarters(), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def webp_claiming(width, height):
    data = bytearray(encoded(quarters(), "WEBP", lossless=True))
    at = data.index(b"VP8L") + 9
    data[at : at + 4] = struct.pack("<I", width - 1 | (height - 1) << 14)
    return bytes(data)


def tiff_claiming_tiles(side):
    """A 64 x 64 TIFF of 400 bytes with one compressed tile of side x side pixels."""
    tags = [
        (256, 64),
        (257, 64),
        (258, 8),
        (259, 5),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
        (324, 300),
        (325, 50),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)).ljust(400, b"\x11")


def middle(data):
    return data[: len(data) // 2]


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
TOO_LARGE = mentions("64 megapixels")
DAMAGED = r"\b{} .*damaged"
FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIC", "AVIF")
BAD_INPUTS = [
    ("empty", b"", "empty"),
    ("text", b"Dear sir or madam,\n", mentions(*FORMATS)),
    ("zeros", bytes(5000), mentions(*FORMATS)),
    ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", mentions(*FORMATS)),
    ("ICO", encoded(quarters(32, 32), "ICO"), mentions(*FORMATS)),
    ("PPM", encoded(quarters(), "PPM"), mentions(*FORMATS)),
    ("MP4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", mentions(*FORMATS)),
    ("SVG", SVG, mentions("SVG", *FORMATS)),
    ("SVG with prolog", b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n' + SVG, mentions("SVG", *FORMATS)),
    (
        "JPEG 2000",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        mentions("JPEG 2000", *FORMATS),
    ),
    ("JPEG XL", b"\xff\x0a\xfa\x1f", mentions("JPEG XL", *FORMATS)),
    ("DICOM", bytes(128) + b"DICM", mentions("DICOM", *FORMATS)),
    ("HEIC header", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", DAMAGED.format("HEIC")),
    ("HEIF header", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", DAMAGED.format("HEIC")),
    ("AVIF header", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", DAMAGED.format("AVIF")),
    ("half a HEIC", middle(heic(noise(200, 100))), DAMAGED.format("HEIC")),
    ("half an AVIF", middle(encoded(noise(200, 100), "AVIF")), DAMAGED.format("AVIF")),
    ("PDF", b"%PDF-1.7\n1 0 obj\n", mentions("PDF", *FORMATS)),
    ("half a JPEG", middle(encoded(noise(200, 100), "JPEG")), DAMAGED.format("JPEG")),
    ("half a progressive JPEG", middle(encoded(noise(200, 100), "JPEG", progressive=True)), DAMAGED.format("JPEG")),
    ("half a PNG", middle(encoded(noise(200, 100), "PNG")), DAMAGED.format("PNG")),
    ("half a WebP", middle(encoded(noise(200, 100), "WEBP")), DAMAGED.format("WebP")),
    ("half a GIF", middle(encoded(noise(200, 100), "GIF")), DAMAGED.format("GIF")),
    ("half a BMP", middle(encoded(noise(200, 100), "BMP")), DAMAGED.format("BMP")),
    ("half a TIFF", middle(encoded(noise(200, 100), "TIFF")), DAMAGED.format("TIFF")),
    ("JPEG header", b"\xff\xd8\xff\xe0", DAMAGED.format("JPEG")),
    ("PNG header", b"\x89PNG\r\n\x1a\n", DAMAGED.format("PNG")),
    ("PNG without pixels", png_claiming(100, 100)[:33], DAMAGED.format("PNG")),
    ("PNG with too few pixels", png_claiming(100, 100), DAMAGED.format("PNG")),
    ("WebP header", b"RIFF\x1c\0\0\0WEBPVP8L", DAMAGED.format("WebP")),
    ("GIF header", b"GIF89a", DAMAGED.format("GIF")),
    ("BMP header", b"BM", DAMAGED.format("BMP")),
    ("TIFF header", b"II*\0", DAMAGED.format("TIFF")),
    ("64 megapixels and a row", png_claiming(8000, 8001), TOO_LARGE),
    ("narrow side", encoded(quarters(7, 60), "PNG"), mentions("7 x 60", "8 x 8")),
    ("flat side", encoded(quarters(60, 7), "PNG"), mentions("60 x 7", "8 x 8")),
    ("too long", encoded(quarters(202, 10), "PNG"), r"202 x 10 pixels.*20:1"),
    ("too tall", encoded(quarters(10, 202), "PNG"), r"10 x 202 pixels.*20:1"),
    ("PIL image without pixels", Image.new("RGB", (0, 0)), "0 x 0 pixels"),
    ("PIL image that is too long", Image.new("L", (500, 9)), "500 x 9 pixels.*20:1"),
    (
        "PIL image of a damaged file",
        lambda: Image.open(BytesIO(middle(encoded(noise(99, 99), "BMP")))),
        "damaged",
    ),
    ("no finite number", column(np.nan, np.inf, dtype=np.float32), "finite"),
    ("None", None, mentions("None", "path", "bytes", "PIL")),
    ("array", np.zeros((9, 9, 3), np.uint8), "an array"),
]


def refusal_of(source):
    with pytest.raises(ImageError) as caught:
        read_image(source)
    assert isinstance(caught.value, VitvizError)
    assert_one_sentence(str(caught.value))
    return str(caught.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "source", "sentence"), BAD_INPUTS, ids=[row[0] for row in BAD_INPUTS])
def test_bad_input_is_refused_in_one_sentence(name, source, sentence):
    message = refusal_of(source() if callable(source) else source)
    assert re.search(sentence, message), message


def test_paths_that_are_no_image_files(tmp_path):
    missing = tmp_path / "no" / "such.jpg"
    assert repr(str(missing)) in refusal_of(missing)
    assert_mentions(refusal_of(str(tmp_path)), f"{str(tmp_path)!r}", "folder")
    assert "xxx" in refusal_of("x" * 5000)
    assert "byte.png" in refusal_of("nul\0byte.png")
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG")
    assert str(tmp_path) not in refusal_of(damaged)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "PNG 16 bit", "JPEG", "WebP", "BMP", "TIFF", "HEIC", "AVIF"])
def test_a_file_cut_anywhere_is_refused(kind):
    image = Image.fromarray(RAMP16) if kind == "PNG 16 bit" else noise(40, 30)
    data = heic(image) if kind == "HEIC" else encoded(image, kind.split()[0])
    read_image(data)
    for length in {*range(0, len(data), 37), *range(len(data) - 40, len(data))}:
        refusal_of(data[:length])


@pytest.mark.filterwarnings("ignore")
def test_only_the_decoder_of_the_format_is_tried(monkeypatch):
    def spy(file, name):
        raise AssertionError("another decoder was tried")

    monkeypatch.setattr(Image, "ID", ["SPY", *Image.ID])
    monkeypatch.setitem(Image.OPEN, "SPY", (spy, None))
    for _, data, _ in FORMAT_TABLE:
        read_image(data)
        assert "damaged" in refusal_of(data[:20])


BOMBS = [
    ("PNG", png_claiming(60_000, 60_000)),
    ("PNG where Pillow warns", png_claiming(10_000, 10_000)),
    ("PNG within Pillow's limit", png_claiming(8_100, 8_100)),
    ("BMP", bmp_claiming(60_000, 60_000)),
    ("BMP within Pillow's limit", bmp_claiming(8_100, 8_100)),
    ("GIF", gif_claiming(60_000, 60_000)),
    ("GIF within Pillow's limit", gif_claiming(8_100, 8_100)),
    ("WebP", webp_claiming(16_384, 16_384)),
    ("WebP within Pillow's limit", webp_claiming(8_100, 8_100)),
    ("TIFF tiles", tiff_claiming_tiles(46_000)),
]


@pytest.mark.parametrize(("name", "data"), BOMBS, ids=[row[0] for row in BOMBS])
@pytest.mark.parametrize("action", ["ignore", "error"])
def test_a_decompression_bomb_is_refused_before_decoding(name, data, action, monkeypatch):
    def load(self):
        raise AssertionError("the bomb was decoded")

    for image_class in (ImageFile.ImageFile, *ImageFile.ImageFile.__subclasses__()):
        monkeypatch.setattr(image_class, "load", load)
    limit = Image.MAX_IMAGE_PIXELS
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(action, Image.DecompressionBombWarning)
            message = refusal_of(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert re.search(TOO_LARGE, message)
    assert peak < 1_000_000
    assert limit == Image.MAX_IMAGE_PIXELS


FUZZED = {
    "JPEG": encoded(noise(40, 24), "JPEG"),
    "JPEG progressive CMYK": encoded(noise(40, 24).convert("CMYK"), "JPEG", progressive=True),
    "MPO": several("MPO"),
    "PNG": encoded(noise(40, 24), "PNG"),
    "PNG palette": encoded(with_transparent_index(), "PNG"),
    "PNG animated": several("PNG"),
    "WebP": encoded(noise(40, 24), "WEBP"),
    "WebP animated": several("WEBP", lossless=True),
    "GIF": encoded(noise(40, 24), "GIF"),
    "GIF animated": several("GIF"),
    "BMP": encoded(noise(40, 24), "BMP"),
    "TIFF": encoded(noise(40, 24), "TIFF"),
    "TIFF LZW": encoded(noise(40, 24), "TIFF", compression="tiff_lzw"),
    "TIFF JPEG": encoded(noise(40, 24), "TIFF", compression="jpeg"),
    "TIFF float": encoded(column(-1, 0, 5, dtype=np.float32), "TIFF"),
    "TIFF pages": several("TIFF"),
    "TIFF predictor": encoded(noise(40, 24), "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2}),
    "TIFF planes": one_picture([bytes(40 * 24 * 2)] * 3, tags_of(24, 40, 16, planar=2), ">"),
    "TIFF tiles": one_picture([bytes(16 * 32)] * 6, tags_of(24, 40, 4, 3, 1, _320=[9] * 48, _322=[16], _323=[16])),
    "HEIC": heic(noise(40, 24)),
    "AVIF": encoded(noise(40, 24), "AVIF"),
    "AVIF animated": several("AVIF"),
}


def harmed(data, random):
    """Cut, flip or overwrite bytes; half of the time near the start, where headers are."""
    data = bytearray(data)
    reach = min(len(data), 120) if random.random() < 0.5 else len(data)
    for _ in range(random.integers(1, 6)):
        at = random.integers(reach)
        data[at] = data[at] ^ (1 << random.integers(8)) if random.random() < 0.5 else random.integers(256)
    if random.random() < 0.3:
        del data[random.integers(1, len(data)) :]
    return bytes(data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FUZZED)
def test_harmed_files_give_an_image_or_a_refusal_and_nothing_else(kind):
    random = np.random.default_rng(sum(kind.encode()))
    refused = 0
    for _ in range(300):
        try:
            image = read_image(harmed(FUZZED[kind], random))
        except ImageError as error:
            refused += 1
            assert_one_sentence(str(error))
        else:
            assert image.rgb.mode == "RGB"
            assert min(image.rgb.size) >= 8
    assert refused > 0
