"""vitviz.images.read_image: file formats, pixel formats, orientation and frames."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.support.image_files import (
    BLACK,
    BLUE,
    FORMAT_TABLE,
    GREEN,
    RAMP16,
    RED,
    WHITE,
    assert_close,
    assert_one_sentence,
    column,
    corners,
    encoded,
    quarters,
    several,
    with_transparent_index,
)
from vitviz.images import FORMATS, read_image

# --- Reading: formats and pixel formats ------------------------------------------------------------------------------


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


SCALE_TABLE = [  # values, what they become, what the note says
    ("float from 0 to 1", column(0, 0.2, 1, dtype=np.float32), [0, 51, 255], "0 is shown as black and 1 as white"),
    ("float of 8 bits", column(0, 51.4, 200, dtype=np.float32), [0, 51, 200], "0 is shown as black and 255 as white"),
    (
        "float of 16 bits",
        column(0, 257, 51400, dtype=np.float32),
        [0, 1, 200],
        "0 is shown as black and 65535 as white",
    ),
    ("negative float", column(-1, 0, 1, dtype=np.float32), [0, 128, 255], "-1 is shown as black and 1 as white"),
    (
        "large int",
        column(0, 500_000, 1_000_000, dtype=np.int32),
        [0, 128, 255],
        "0 is shown as black and 1e+06 as white",
    ),
    ("int of 8 bits", column(0, 51, 200, dtype=np.int32), [0, 51, 200], "0 is shown as black and 255 as white"),
    ("not all numbers", column(0, np.nan, np.inf, 1, -np.inf, dtype=np.float32), [0, 0, 255, 255, 0], "from 0 to 1;"),
    ("one value", column(1e9, dtype=np.float32), [0], "from 1e+09 to 1e+09"),
    ("zero", column(0, dtype=np.float32), [0], "from 0 to 0; 0 is shown as black and 1 as white"),
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
