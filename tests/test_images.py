"""vitviz.images: every image below is made here; nothing is read from disk but what a test wrote."""

import re
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from vitviz.errors import ImageError, VitvizError
from vitviz.images import FITS, FORMATS, IMAGENET, Geometry, Preprocessing, SafeImage, normalise, prepare, read_image

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def quarters(width=48, height=32):
    """Red and green above blue and white: tells every orientation from every other."""
    pixels = np.zeros((height, width, 3), np.uint8)
    half_x, half_y = width // 2, height // 2
    pixels[:half_y, :half_x], pixels[:half_y, half_x:] = RED, GREEN
    pixels[half_y:, :half_x], pixels[half_y:, half_x:] = BLUE, WHITE
    return Image.fromarray(pixels)


def noise(width, height, seed=0):
    """A photo-like image: smooth at one scale, busy at another."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize((width, height))
    fine = random.integers(-30, 30, (height, width, 3))
    return Image.fromarray((np.asarray(coarse) + fine).clip(0, 255).astype(np.uint8))


def encoded(image, kind, **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(image):
    """The colours in the middle of the four quarters, row by row."""
    width, height = image.size
    return [image.getpixel((x, y)) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]


def assert_close(colours, expected, tolerance):
    assert np.abs(np.array(colours, int) - np.array(expected, int)).max() <= tolerance, f"{colours} is not {expected}"


def safe(image):
    return SafeImage(image)


# --- Reading: formats and pixel formats ------------------------------------------------------------------------------

FORMAT_TABLE = [
    ("JPEG", encoded(quarters(), "JPEG", quality=95, subsampling=0), 6),
    ("JPEG progressive", encoded(quarters(), "JPEG", quality=95, subsampling=0, progressive=True), 6),
    ("PNG", encoded(quarters(), "PNG"), 0),
    ("WebP", encoded(quarters(), "WEBP", quality=95), 12),
    ("WebP lossless", encoded(quarters(), "WEBP", lossless=True), 0),
    ("GIF", encoded(quarters(), "GIF"), 0),
    ("BMP", encoded(quarters(), "BMP"), 0),
    ("TIFF", encoded(quarters(), "TIFF"), 0),
    ("TIFF LZW", encoded(quarters(), "TIFF", compression="tiff_lzw"), 0),
    ("TIFF deflate", encoded(quarters(), "TIFF", compression="tiff_adobe_deflate"), 0),
]


@pytest.mark.parametrize(("name", "data", "tolerance"), FORMAT_TABLE, ids=[row[0] for row in FORMAT_TABLE])
def test_every_format_keeps_its_colours(name, data, tolerance):
    image = read_image(data)
    assert image.rgb.mode == "RGB"
    assert image.rgb.size == (48, 32)
    assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], tolerance)
    assert image.notes == ()


def test_every_format_named_is_tested():
    assert set(FORMATS) == {name.split()[0] for name, _, _ in FORMAT_TABLE}


def test_sources_agree(tmp_path):
    data = encoded(quarters(), "PNG")
    path = tmp_path / "photo with no suffix"
    path.write_bytes(data)
    sources = [data, bytearray(data), memoryview(data), path, str(path), quarters(), Image.open(path)]
    images = [read_image(source).rgb.tobytes() for source in sources]
    assert len(set(images)) == 1


def with_alpha(mode):
    """Left half opaque, right half transparent."""
    image = quarters().convert(mode)
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (0, 0, 24, 32))
    image.putalpha(alpha)
    return image


def with_transparent_index():
    image = quarters().quantize(4)
    image.info["transparency"] = image.getpixel((40, 8))  # green
    return image


def premultiplied_grey():
    image = Image.new("La", (48, 32), (0, 0))
    image.paste((100, 255), (0, 0, 24, 32))
    return image


def lab_grey():
    return Image.merge("LAB", [Image.new("L", (48, 32), value) for value in (255, 128, 128)])


GREYS = [(76,) * 3, (150,) * 3, (29,) * 3, WHITE]
GREYS_ON_WHITE = [(76,) * 3, WHITE, (29,) * 3, WHITE]
COLOURS_ON_WHITE = [RED, WHITE, BLUE, WHITE]
MODE_TABLE = [
    ("RGB", quarters(), [RED, GREEN, BLUE, WHITE], 0),
    ("RGBX", quarters().convert("RGBX"), [RED, GREEN, BLUE, WHITE], 0),
    ("L", quarters().convert("L"), GREYS, 0),
    ("1", quarters().convert("1", dither=Image.Dither.NONE), [BLACK, WHITE, BLACK, WHITE], 0),
    ("P", quarters().quantize(4), [RED, GREEN, BLUE, WHITE], 0),
    ("CMYK", quarters().convert("CMYK"), [RED, GREEN, BLUE, WHITE], 0),
    ("YCbCr", quarters().convert("YCbCr"), [RED, GREEN, BLUE, WHITE], 2),
    ("HSV", quarters().convert("HSV"), [RED, GREEN, BLUE, WHITE], 0),
    ("LAB", lab_grey(), [WHITE] * 4, 2),
    ("RGBA", with_alpha("RGB"), COLOURS_ON_WHITE, 0),
    ("RGBa", with_alpha("RGB").convert("RGBa"), COLOURS_ON_WHITE, 0),
    ("LA", with_alpha("L"), GREYS_ON_WHITE, 0),
    ("La", premultiplied_grey(), [(100,) * 3, WHITE, (100,) * 3, WHITE], 0),
    ("PA", with_alpha("P"), COLOURS_ON_WHITE, 0),
    ("P with a transparent colour", with_transparent_index(), [RED, WHITE, BLUE, WHITE], 0),
]


@pytest.mark.parametrize(("name", "image", "expected", "tolerance"), MODE_TABLE, ids=[row[0] for row in MODE_TABLE])
def test_every_mode_becomes_rgb_and_the_caller_keeps_his_image(name, image, expected, tolerance):
    before = image.mode, image.size, image.tobytes(), dict(image.info)
    result = read_image(image)
    assert result.rgb.mode == "RGB"
    assert_close(corners(result.rgb), expected, tolerance)
    assert result.rgb is not image
    result.rgb.paste(BLACK, (0, 0, *result.rgb.size))
    assert (image.mode, image.size, image.tobytes(), dict(image.info)) == before


FILE_MODE_TABLE = [
    ("CMYK JPEG", encoded(quarters().convert("CMYK"), "JPEG", quality=95, subsampling=0), [RED, GREEN, BLUE, WHITE], 8),
    ("CMYK TIFF", encoded(quarters().convert("CMYK"), "TIFF"), [RED, GREEN, BLUE, WHITE], 0),
    ("grey JPEG", encoded(quarters().convert("L"), "JPEG", quality=95), GREYS, 6),
    ("1-bit PNG", encoded(quarters().convert("1", dither=0), "PNG"), [BLACK, WHITE, BLACK, WHITE], 0),
    ("1-bit TIFF", encoded(quarters().convert("1", dither=0), "TIFF"), [BLACK, WHITE, BLACK, WHITE], 0),
    ("1-bit BMP", encoded(quarters().convert("1", dither=0), "BMP"), [BLACK, WHITE, BLACK, WHITE], 0),
    ("RGBA PNG", encoded(with_alpha("RGB"), "PNG"), COLOURS_ON_WHITE, 0),
    ("LA PNG", encoded(with_alpha("L"), "PNG"), GREYS_ON_WHITE, 0),
    ("RGBA WebP", encoded(with_alpha("RGB"), "WEBP", lossless=True), COLOURS_ON_WHITE, 0),
    ("RGBA TIFF", encoded(with_alpha("RGB"), "TIFF"), COLOURS_ON_WHITE, 0),
    ("transparent palette PNG", encoded(with_transparent_index(), "PNG"), COLOURS_ON_WHITE, 0),
    ("transparent GIF", encoded(with_transparent_index(), "GIF"), COLOURS_ON_WHITE, 0),
    ("RGB PNG with a transparent colour", encoded(quarters(), "PNG", transparency=GREEN), COLOURS_ON_WHITE, 0),
]


@pytest.mark.parametrize(
    ("name", "data", "expected", "tolerance"), FILE_MODE_TABLE, ids=[r[0] for r in FILE_MODE_TABLE]
)
def test_pixel_formats_in_files(name, data, expected, tolerance):
    image = read_image(data)
    assert_close(corners(image.rgb), expected, tolerance)
    assert image.notes == ()


def test_half_transparent_is_half_white():
    image = read_image(Image.new("RGBA", (8, 8), (255, 0, 0, 128)))
    assert_close(image.rgb.getpixel((0, 0)), (255, 127, 127), 1)


def tiff16(numbers, order):
    """A minimal uncompressed 16-bit grey TIFF in either byte order."""
    height, width = numbers.shape
    pixels = numbers.astype(f"{order}u2").tobytes()
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    entries = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    entries += struct.pack(f"{order}HHII", 279, 4, 1, len(pixels))
    magic = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(tags) + 1) + entries + b"\0\0\0\0"
    return magic + struct.pack(f"{order}I", 8 + len(pixels)) + pixels + directory


RAMP16 = np.linspace(0, 65535, 256 * 16).round().astype(np.uint16).reshape(16, 256)
RAMP16_TABLE = [
    ("PNG", encoded(Image.fromarray(RAMP16), "PNG")),
    ("TIFF little-endian", tiff16(RAMP16, "<")),
    ("TIFF big-endian", tiff16(RAMP16, ">")),
    ("I;16", Image.fromarray(RAMP16)),
    ("I;16B", Image.frombytes("I;16B", (256, 16), RAMP16.astype(">u2").tobytes())),
    ("I", Image.fromarray(RAMP16.astype(np.int32))),
]


@pytest.mark.parametrize(("name", "source"), RAMP16_TABLE, ids=[row[0] for row in RAMP16_TABLE])
def test_a_16_bit_ramp_keeps_its_full_range(name, source):
    grey = np.asarray(read_image(source).rgb)
    assert np.ptp(grey, axis=2).max() == 0
    assert np.array_equal(grey[..., 0], np.rint(RAMP16 / 257))


def test_16_bit_transparent_colour_is_white():
    data = encoded(Image.fromarray(RAMP16), "PNG", transparency=0)
    grey = np.asarray(read_image(data).rgb)[..., 0]
    assert grey[0, 0] == 255
    assert grey[1, 0] == round(int(RAMP16[1, 0]) / 257)


def column(*values, dtype):
    """An 8 x 8 image whose columns repeat `values`."""
    return Image.fromarray(np.resize(np.array(values, dtype), 8)[None].repeat(8, axis=0))


SCALE_TABLE = [  # values, what they become, what the note says
    ("float from 0 to 1", column(0, 0.2, 1, dtype=np.float32), [0, 51, 255], "0 is drawn black and 1 white"),
    ("float of 8 bits", column(0, 51.4, 200, dtype=np.float32), [0, 51, 200], "0 is drawn black and 255 white"),
    ("float of 16 bits", column(0, 257, 51400, dtype=np.float32), [0, 1, 200], "0 is drawn black and 65535 white"),
    ("negative float", column(-1, 0, 1, dtype=np.float32), [0, 128, 255], "-1 is drawn black and 1 white"),
    ("large int", column(0, 500_000, 1_000_000, dtype=np.int32), [0, 128, 255], "0 is drawn black and 1e+06 white"),
    ("int of 8 bits", column(0, 51, 200, dtype=np.int32), [0, 51, 200], "0 is drawn black and 255 white"),
    ("not all numbers", column(0, np.nan, np.inf, 1, -np.inf, dtype=np.float32), [0, 0, 255, 255, 0], "from 0 to 1;"),
    ("one value", column(1e9, dtype=np.float32), [0], "from 1e+09 to 1e+09"),
    ("zero", column(0, dtype=np.float32), [0], "from 0 to 0; 0 is drawn black and 1 white"),
]


@pytest.mark.parametrize(("name", "image", "expected", "note"), SCALE_TABLE, ids=[row[0] for row in SCALE_TABLE])
def test_32_bit_grey_is_scaled_and_a_note_says_how(name, image, expected, note):
    for source in (image, encoded(image, "TIFF")):
        result = read_image(source)
        assert np.asarray(result.rgb)[3, : len(expected), 1].tolist() == expected
        assert len(result.notes) == 1
        assert note in result.notes[0]
        assert_one_sentence(result.notes[0])


# --- Reading: orientation and first frames ---------------------------------------------------------------------------

# EXIF orientation -> how the stored picture comes from the upright one.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
    ids=["JPEG", "PNG", "WebP", "TIFF", "TIFF LZW"],
)
def test_exif_orientation_is_applied_once(kind, options, orientation):
    turn = STORED_AS[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(stored, kind, exif=exif, **options)
    for source in (data, Image.open(BytesIO(data))):
        image = read_image(source)
        assert image.rgb.size == (48, 32)
        assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 6)
        assert read_image(image.rgb).rgb.tobytes() == image.rgb.tobytes()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_broken_exif_is_no_reason_to_refuse(kind, exif):
    assert_close(corners(read_image(encoded(quarters(), kind, exif=exif)).rgb), [RED, GREEN, BLUE, WHITE], 30)


def several(kind, **options):
    return encoded(quarters(), kind, save_all=True, append_images=[Image.new("RGB", (48, 32), BLACK)], **options)


FRAME_TABLE = [
    ("GIF", several("GIF"), ("This GIF is animated; only its first frame is used.",)),
    ("WebP", several("WEBP", lossless=True), ("This WebP is animated; only its first frame is used.",)),
    ("PNG", several("PNG"), ("This PNG is animated; only its first frame is used.",)),
    ("TIFF", several("TIFF"), ("This TIFF has several pages; only its first page is used.",)),
    ("MPO", several("MPO", quality=95, subsampling=0), ()),
]


@pytest.mark.parametrize(("name", "data", "notes"), FRAME_TABLE, ids=[row[0] for row in FRAME_TABLE])
def test_only_the_first_frame_is_used_and_a_note_says_so(name, data, notes):
    image = read_image(data)
    assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 6)
    assert image.notes == notes


# --- Reading: refusals -----------------------------------------------------------------------------------------------


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(width, height):
    """A PNG of a few bytes whose header claims any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


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
TOO_LARGE = r"^This image has more than 64 megapixels; make it smaller"
DAMAGED = r"^This {} file is damaged or incomplete; download or save it again\.$"
ALL_FORMATS = r"JPEG, PNG, WebP, GIF, BMP or TIFF\.$"
BAD_INPUTS = [
    ("empty", b"", r"^This file is empty; choose"),
    ("text", b"Dear sir or madam,\n", "^This is not an image that can be read here; use " + ALL_FORMATS),
    ("zeros", bytes(5000), "^This is not an image"),
    ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "^This is not an image"),
    ("ICO", encoded(quarters(32, 32), "ICO"), "^This is not an image"),
    ("PPM", encoded(quarters(), "PPM"), "^This is not an image"),
    ("MP4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "^This is not an image"),
    ("SVG", SVG, "^SVG files cannot be read here; save the image as " + ALL_FORMATS),
    ("SVG with prolog", b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n' + SVG, "^SVG files cannot"),
    (
        "HEIC",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "^HEIC files cannot be read here; save the image as " + ALL_FORMATS,
    ),
    ("HEIF", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "^HEIC files cannot"),
    (
        "AVIF",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
        "^AVIF files cannot be read here; save the image as " + ALL_FORMATS,
    ),
    ("PDF", b"%PDF-1.7\n1 0 obj\n", "^PDF files cannot be read here; save the image as " + ALL_FORMATS),
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
    ("narrow side", encoded(quarters(7, 60), "PNG"), r"^This image is 7 x 60 pixels; use one of at least 8 x 8\.$"),
    ("flat side", encoded(quarters(60, 7), "PNG"), r"^This image is 60 x 7 pixels; use one of at least 8 x 8\.$"),
    ("too long", encoded(quarters(202, 10), "PNG"), r"^This image is 202 x 10 pixels; crop it to at most 20:1\.$"),
    ("too tall", encoded(quarters(10, 202), "PNG"), r"^This image is 10 x 202 pixels; crop it to at most 20:1\.$"),
    ("PIL image without pixels", Image.new("RGB", (0, 0)), "^This image is 0 x 0 pixels; use"),
    ("PIL image that is too long", Image.new("L", (500, 9)), "^This image is 500 x 9 pixels; crop"),
    (
        "PIL image of a damaged file",
        lambda: Image.open(BytesIO(middle(encoded(noise(99, 99), "BMP")))),
        "^This image is d",
    ),
    ("no finite number", column(np.nan, np.inf, dtype=np.float32), "^This image holds no finite number; save"),
    ("None", None, r"^An image cannot be read from a NoneType; give a path, bytes or a PIL image\.$"),
    ("array", np.zeros((9, 9, 3), np.uint8), "^An image cannot be read from a ndarray; give"),
]


def assert_one_sentence(message):
    assert message.endswith(".")
    assert "\n" not in message
    assert ". " not in message
    assert "Error" not in message
    assert "Exception" not in message


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
    assert refusal_of(missing) == f"There is no file {str(missing)!r}; check its name."
    assert refusal_of(str(tmp_path)) == f"{str(tmp_path)!r} is a folder; choose an image file in it."
    assert "cannot be read" in refusal_of("x" * 5000)
    assert "There is no file" in refusal_of("nul\0byte.png")
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG")
    assert str(tmp_path) not in refusal_of(damaged)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "PNG 16 bit", "JPEG", "WebP", "BMP", "TIFF"])
def test_a_file_cut_anywhere_is_refused(kind):
    image = Image.fromarray(RAMP16) if kind == "PNG 16 bit" else noise(40, 30)
    data = encoded(image, kind.split()[0])
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
}


def harmed(data, random):
    """Cut, flip or overwrite; half of the time near the start, where headers are."""
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


# --- Fitting ---------------------------------------------------------------------------------------------------------


TIMM_TABLE = [  # original, size, crop fraction, interpolation
    ((640, 480), 224, 1.0, "bicubic"),
    ((480, 640), 224, 0.875, "bicubic"),
    ((333, 500), 224, 0.9, "bicubic"),
    ((501, 334), 224, 0.95, "bilinear"),
    ((97, 61), 96, 0.875, "bicubic"),
    ((61, 97), 112, 0.8, "lanczos"),
    ((1000, 51), 224, 0.875, "bicubic"),
    ((51, 1001), 64, 1.0, "nearest"),
    ((224, 224), 224, 1.0, "bicubic"),
    ((256, 255), 224, 0.875, "bicubic"),
    ((257, 640), 256, 0.96, "box"),
    ((640, 481), 448, 1.15, "bicubic"),
    ((300, 301), 224, 1.1, "bicubic"),
    ((311, 600), 112, 1.15, "hamming"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("original", "size", "crop_fraction", "interpolation"), TIMM_TABLE)
def test_crop_is_timms_evaluation_transform(original, size, crop_fraction, interpolation):
    from timm import data as timm_data

    asked = {"input_size": (3, size, size), "crop_pct": crop_fraction, "crop_mode": "center"}
    image = noise(*original)
    ours = Preprocessing(interpolation=interpolation, crop_fraction=crop_fraction)
    prepared = prepare(safe(image), size, 16, "crop", ours)

    timms = timm_data.create_transform(is_training=False, interpolation=interpolation, normalize=False, **asked)
    assert np.array_equal(prepared.pixels, timms(image).permute(1, 2, 0).numpy())

    timms = timm_data.create_transform(is_training=False, interpolation=interpolation, **asked)
    assert np.array_equal(normalise(prepared.pixels, ours), timms(image).numpy())


FIT_TABLE = [  # fit, original, size, patch, model (width, height), grid (rows, cols), content
    ("crop", (640, 480), 224, 16, (224, 224), (14, 14), (0, 0, 224, 224)),
    ("squash", (640, 480), 224, 14, (224, 224), (16, 16), (0, 0, 224, 224)),
    ("pad", (640, 480), 224, 14, (224, 224), (16, 16), (0, 28, 224, 196)),
    ("pad", (480, 640), 224, 14, (224, 224), (16, 16), (28, 0, 196, 224)),
    ("pad", (300, 300), 96, 16, (96, 96), (6, 6), (0, 0, 96, 96)),
    ("pad", (200, 10), 16, 16, (16, 16), (1, 1), (0, 7, 16, 8)),
    ("native", (640, 480), 224, 14, (252, 196), (14, 18), (0, 0, 252, 196)),
    ("native", (480, 640), 224, 14, (196, 252), (18, 14), (0, 0, 196, 252)),
    ("native", (300, 300), 224, 16, (224, 224), (14, 14), (0, 0, 224, 224)),
    ("native", (2000, 100), 224, 16, (1008, 48), (3, 63), (0, 0, 1008, 48)),
    ("native", (10, 200), 16, 16, (16, 64), (4, 1), (0, 0, 16, 64)),
]


@pytest.mark.parametrize(("fit", "original", "size", "patch", "model", "grid", "content"), FIT_TABLE)
def test_shapes_of_the_fits(fit, original, size, patch, model, grid, content):
    prepared = prepare(safe(noise(*original)), size, patch, fit)
    geometry = prepared.geometry
    assert prepared.pixels.shape == (model[1], model[0], 3)
    assert prepared.pixels.dtype == np.uint8
    assert not prepared.pixels.flags.writeable
    assert (geometry.original, geometry.model, geometry.patch) == (original, model, patch)
    assert (geometry.grid, geometry.content) == (grid, content)
    assert geometry.padded == (content != (0, 0, *model))


def test_every_fit_is_tested_and_notes_are_handed_on():
    assert {row[0] for row in FIT_TABLE} == set(FITS)
    assert prepare(SafeImage(noise(32, 32), ("A note.",)), 32, 16).notes == ("A note.",)


def test_native_keeps_the_number_of_tokens_near():
    for width in range(100, 2001, 95):
        rows, cols = prepare(safe(Image.new("RGB", (width, 400))), 224, 14, "native").geometry.grid
        assert abs(rows * cols - 256) <= 16


def test_squash_and_native_show_the_whole_photo():
    for fit in ("squash", "native"):
        pixels = prepare(safe(quarters(300, 100)), 64, 16, fit).pixels
        assert_close(corners(Image.fromarray(pixels)), [RED, GREEN, BLUE, WHITE], 2)


REFUSED_REQUESTS = [
    (224, 14, "stretch", r"^There is no fit 'stretch'; choose one of crop, squash, pad, native\.$"),
    (225, 14, "crop", r"^A size of 225 does not hold whole patches of 14 pixels; use a multiple of 14\.$"),
    (0, 14, "crop", "^A size of 0 does not"),
    (-224, 14, "pad", "^A size of -224 does not"),
    (224.0, 14, "pad", "^A size of 224.0 does not"),
    ("224", 14, "pad", "^A size of 224 does not"),
    (224, 0, "native", "^A size of 224 does not hold whole patches of 0 pixels"),
]


@pytest.mark.parametrize(("size", "patch", "fit", "sentence"), REFUSED_REQUESTS)
def test_impossible_requests_are_refused(size, patch, fit, sentence):
    with pytest.raises(ImageError, match=sentence) as caught:
        prepare(safe(noise(32, 32)), size, patch, fit)
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"interpolation": "random"}, "^There is no interpolation 'random'; choose one of nearest,"),
        ({"crop_fraction": 0}, r"^A crop fraction of 0 is not possible; give one from 0\.1 to 2\.$"),
        ({"crop_fraction": float("nan")}, "^A crop fraction of nan"),
    ],
)
def test_impossible_preprocessing_is_refused(values, sentence):
    with pytest.raises(ImageError, match=sentence) as caught:
        Preprocessing(**values)
    assert_one_sentence(str(caught.value))


def test_numpy_sizes_are_sizes():
    assert prepare(safe(noise(32, 32)), np.int64(32), np.int64(16)).geometry.grid == (2, 2)


# --- Geometry --------------------------------------------------------------------------------------------------------

BOX_TABLE = [  # fit, original, size, patch, crop fraction, (row, col), box computed by hand
    # 640 x 480 -> 298 x 224, cut from 37: 640/298 and 480/224 original pixels to a pixel
    ("crop", (640, 480), 224, 16, 1.0, (0, 0), (37 * 640 / 298, 0, 53 * 640 / 298, 16 * 480 / 224)),
    ("crop", (640, 480), 224, 16, 1.0, (13, 13), (245 * 640 / 298, 208 * 480 / 224, 261 * 640 / 298, 480)),
    # shorter side to 32 / 0.5 = 64: 128 x 64, cut from 48 and 16: half an original pixel to a pixel
    ("crop", (64, 32), 32, 16, 0.5, (0, 0), (24, 8, 32, 16)),
    ("crop", (64, 32), 32, 16, 0.5, (1, 1), (32, 16, 40, 24)),
    # shorter side to 32 / 2 = 16: 30 x 31 -> 16 x 16 (int(16.5)), put from 8 to 24 on a black 32 x 32
    ("crop", (30, 31), 32, 16, 2.0, (0, 0), (0, 0, 15, 15.5)),
    ("crop", (30, 31), 32, 16, 2.0, (1, 1), (15, 15.5, 30, 31)),
    ("squash", (640, 480), 32, 16, 1.0, (0, 1), (320, 0, 640, 240)),
    ("squash", (640, 480), 32, 8, 0.5, (3, 0), (0, 360, 160, 480)),
    # 640 x 320 -> 64 x 32, from 16 to 48: 10 original pixels to a pixel
    ("pad", (640, 320), 64, 16, 1.0, (0, 0), None),
    ("pad", (640, 320), 64, 16, 1.0, (1, 0), (0, 0, 160, 160)),
    ("pad", (640, 320), 64, 16, 1.0, (2, 3), (480, 160, 640, 320)),
    ("pad", (640, 320), 64, 16, 1.0, (3, 3), None),
    # 480 x 640 -> 48 x 64, from 8 to 56: the outer columns are half padding
    ("pad", (480, 640), 64, 16, 1.0, (0, 0), (0, 0, 80, 160)),
    ("pad", (480, 640), 64, 16, 1.0, (3, 3), (400, 480, 480, 640)),
    # 4 x 2 patches' worth in 4 * sqrt(2) = 5.7 by 2.8: 6 x 3 patches
    ("native", (640, 320), 64, 16, 1.0, (0, 0), (0, 0, 640 / 6, 320 / 3)),
    ("native", (640, 320), 64, 16, 1.0, (2, 5), (640 * 5 / 6, 320 * 2 / 3, 640, 320)),
    ("native", (640, 320), 64, 16, 1.0, (-1, -6), (0, 320 * 2 / 3, 640 / 6, 320)),
]


@pytest.mark.parametrize(("fit", "original", "size", "patch", "crop_fraction", "at", "expected"), BOX_TABLE)
def test_patch_boxes_by_hand(fit, original, size, patch, crop_fraction, at, expected):
    preprocessing = Preprocessing(crop_fraction=crop_fraction)
    geometry = prepare(safe(Image.new("RGB", original)), size, patch, fit, preprocessing).geometry
    box = geometry.patch_box(*at)
    assert geometry.is_padding(*at) == (expected is None)
    assert box is None if expected is None else box == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("original", [(640, 480), (333, 517), (100, 900), (224, 224), (61, 60)])
@pytest.mark.parametrize("crop_fraction", [0.875, 1.15])
def test_patch_boxes_tile_the_source(fit, original, crop_fraction):
    preprocessing = Preprocessing(crop_fraction=crop_fraction)
    geometry = prepare(safe(Image.new("RGB", original)), 112, 14, fit, preprocessing).geometry
    rows, cols = geometry.grid
    boxes = [[geometry.patch_box(row, col) for col in range(cols)] for row in range(rows)]
    shown = [[box for box in row if box] for row in boxes if any(row)]

    left, top, right, bottom = geometry.source
    for row in shown:
        assert row[0][0] == pytest.approx(left)
        assert row[-1][2] == pytest.approx(right)
        assert all(a[2] == b[0] and a[1::2] == b[1::2] for a, b in pairwise(row))
    for column_of_boxes in zip(*shown, strict=True):
        assert column_of_boxes[0][1] == pytest.approx(top)
        assert column_of_boxes[-1][3] == pytest.approx(bottom)
        assert all(a[3] == b[1] for a, b in pairwise(column_of_boxes))
    assert all(0 <= value <= original[i % 2] for row in shown for box in row for i, value in enumerate(box))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("original", [(400, 200), (150, 400)])
def test_a_patch_box_shows_what_the_patch_shows(fit, original):
    """Cut each patch out of the original, shrink it, and find about the same colour as in the model's pixels."""
    width, height = original
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    image = Image.fromarray(np.stack([x, y, x * 0], axis=2).round().astype(np.uint8))
    prepared = prepare(safe(image), 64, 16, fit)
    geometry = prepared.geometry
    content_left, content_top, content_right, content_bottom = geometry.content
    for row, col in np.ndindex(geometry.grid):
        box = geometry.patch_box(row, col)
        if box is None:
            continue
        on_original = np.asarray(image.resize((1, 1), Image.Resampling.BOX, box=box))[0, 0]
        rows = slice(max(row * 16, content_top), min(row * 16 + 16, content_bottom))
        cols = slice(max(col * 16, content_left), min(col * 16 + 16, content_right))
        on_model = prepared.pixels[rows, cols].mean(axis=(0, 1))
        assert_close(on_original, on_model, 3)


@pytest.mark.parametrize(
    ("row", "col", "message"),
    [
        (4, 0, "There is no patch row 4; rows go from -4 to 3"),
        (-5, 0, "There is no patch row -5; rows go from -4 to 3"),
        (0, 6, "There is no patch column 6; columns go from -6 to 5"),
        (0, -7, "There is no patch column -7; columns go from -6 to 5"),
    ],
)
def test_a_patch_outside_of_the_grid_is_an_index_error(row, col, message):
    geometry = Geometry((96, 64), (96, 64), 16, (0, 0, 96, 64), (0, 0, 96, 64))
    for ask in (geometry.patch_box, geometry.is_padding):
        with pytest.raises(IndexError, match=message):
            ask(row, col)


def test_padding_is_marked_and_hatched():
    mean = (0.2, 0.4, 0.6)
    prepared = prepare(safe(noise(200, 100)), 128, 16, "pad", Preprocessing(mean=mean))
    left, top, right, bottom = prepared.geometry.content
    assert (left, top, right, bottom) == (0, 32, 128, 96)
    outside = np.ones((128, 128), bool)
    outside[top:bottom, left:right] = False

    assert np.all(prepared.pixels[outside] == [51, 102, 153])
    assert prepared.geometry.padding_mask().tolist() == [[True] * 8] * 2 + [[False] * 8] * 4 + [[True] * 8] * 2
    picture = np.asarray(prepared.picture())
    assert np.array_equal(picture[~outside], prepared.pixels[~outside])
    assert np.all((picture != prepared.pixels).any(axis=2) == outside)
    stripes = picture[:top, :, 0]
    assert np.array_equal(stripes[1:, :-1], stripes[:-1, 1:])  # diagonal
    assert np.ptp(stripes) > 50  # clear


def test_padding_is_zero_after_normalisation():
    numbers = normalise(prepare(safe(noise(200, 100)), 128, 16, "pad").pixels)
    assert np.abs(numbers[:, :32]).max() < 0.5 / 255 / 0.224


def test_without_padding_the_picture_is_the_pixels():
    prepared = prepare(safe(noise(200, 100)), 128, 16)
    assert not prepared.geometry.padding_mask().any()
    assert np.array_equal(np.asarray(prepared.picture()), prepared.pixels)


# --- The rest --------------------------------------------------------------------------------------------------------


def test_normalise_by_hand():
    pixels = np.array([[[0, 51, 255], [255, 102, 0]]], np.uint8)  # [1, 2, 3]
    numbers = normalise(pixels, Preprocessing(mean=(0.5, 0.2, 0.0), std=(0.5, 0.1, 2.0)))
    assert numbers.dtype == np.float32
    assert numbers.shape == (3, 1, 2)
    assert numbers.flags.c_contiguous
    assert numbers == pytest.approx(np.array([[[-1, 1]], [[0, 2]], [[0.5, 0]]]), abs=1e-6)


def test_imagenet_is_the_default():
    assert Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bicubic", 1.0) == IMAGENET
    assert normalise(np.zeros((1, 1, 3), np.uint8))[:, 0, 0] == pytest.approx([-2.117904, -2.035714, -1.804444])


def test_threads_agree():
    sources = [data for _, data, _ in FORMAT_TABLE] * 8

    def digest(data):
        prepared = prepare(read_image(data), 32, 16, "pad")
        return zlib.crc32(prepared.pixels.tobytes())

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(digest, sources)) == [digest(data) for data in sources]
