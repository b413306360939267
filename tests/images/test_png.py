"""vitviz.images.read_image: PNG with a transparent colour at every bit depth, large text and profiles, animations."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from tests.support.image_files import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    assert_close,
    corners,
    encoded,
    noise,
    png_chunk,
    quarters,
)
from tests.support.tiff_files import packed
from vitviz.errors import ImageError
from vitviz.images import read_image

START = b"\x89PNG\r\n\x1a\n"
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(numbers, bits, colour_type, *chunks, interlaced=False):
    """Create a PNG of samples [height, width, channels]; `chunks` are inserted before the pixels."""
    height, width, _ = numbers.shape
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    parts = [numbers[top::down, left::across] for left, top, across, down in PASSES] if interlaced else [numbers]
    raw = b""
    for part in parts:
        rows = part.reshape(len(part), -1)
        lines = (packed(row[None], bits) if bits < 16 else row.astype(">u2").tobytes() for row in rows)
        raw += b"".join(b"\0" + line for line in lines)
    pixels = png_chunk(b"IDAT", zlib.compress(raw))
    return START + png_chunk(b"IHDR", header) + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_one_transparent_grey_is_white_and_no_other(bits, interlaced):
    numbers = (np.arange(16 * 24).reshape(16, 24, 1) * (1 if bits < 16 else 150)) % 2**bits
    hidden = int(numbers[0, 1, 0])
    data = png(numbers, bits, 0, png_chunk(b"tRNS", struct.pack(">H", hidden)), interlaced=interlaced)
    expected = np.where(numbers == hidden, 255, np.rint(numbers * (255 / (2**bits - 1))))
    for source in (data, Image.open(BytesIO(data))):
        assert_close(np.asarray(read_image(source).rgb), expected.repeat(3, axis=2), 0)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_one_transparent_colour_is_white_and_no_other(bits, interlaced):
    numbers = np.random.default_rng(0).integers(0, 2**bits, (16, 24, 3))
    hidden = numbers[3, 5]
    numbers[8:, :, :] = hidden
    numbers[8:12, :, 1] ^= 1  # differs in the last bit alone
    data = png(numbers, bits, 2, png_chunk(b"tRNS", struct.pack(">3H", *hidden)), interlaced=interlaced)
    gone = (numbers == hidden).all(axis=2, keepdims=True)
    assert_close(np.asarray(read_image(data).rgb), np.where(gone, 255, numbers >> bits - 8), 0)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_with_opacities(bits):
    numbers = np.arange(16 * 24).reshape(16, 24, 1) % 2**bits
    palette = np.random.default_rng(bits).integers(0, 256, (2**bits, 3), dtype=np.uint8)
    opacity = np.array([0, 128], np.uint8)  # of the first two, the others are opaque
    data = png(numbers, bits, 3, png_chunk(b"PLTE", palette.tobytes()), png_chunk(b"tRNS", opacity.tobytes()))
    share = np.append(opacity, [255] * 254)[: 2**bits, None] / 255
    expected = (palette * share + 255 * (1 - share))[numbers[..., 0]]
    assert_close(np.asarray(read_image(data).rgb), expected, 1)


def with_info(**texts):
    info = PngImagePlugin.PngInfo()
    for key, (text, compressed) in texts.items():
        info.add_itxt(key, text, zip=compressed) if key.startswith("i") else info.add_text(key, text, zip=compressed)
    return info


LARGE = "x" * 3_000_000
LARGE_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(3_000_000)
BESIDE = {
    "zTXt": {"pnginfo": with_info(workflow=(LARGE, True))},
    "tEXt": {"pnginfo": with_info(workflow=(LARGE, False))},
    "iTXt": {"pnginfo": with_info(international=(LARGE, True))},
    "many texts": {"pnginfo": with_info(**{f"text{i}": ("x" * 900_000, True) for i in range(100)})},
    "iCCP": {"icc_profile": LARGE_PROFILE},
    "eXIf": {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0" + bytes(3_000_000)},
}


@pytest.mark.parametrize("beside", BESIDE)
def test_what_stands_beside_the_picture_is_no_reason_to_refuse_it(beside):
    picture = noise(60, 40)
    data = encoded(picture, "PNG", **BESIDE[beside])
    for source in (data, Image.open(BytesIO(data)) if beside in ("tEXt", "eXIf") else data):
        assert read_image(source).rgb.tobytes() == picture.tobytes()


def test_harm_beside_the_picture_is_no_reason_to_refuse_it_but_harm_in_it_is():
    picture = noise(60, 40)
    data = encoded(picture, "PNG", pnginfo=with_info(comment=("hello", False)))
    assert read_image(data.replace(b"hello", b"jello")).rgb.tobytes() == picture.tobytes()
    at = data.index(b"IDAT") + 20
    with pytest.raises(ImageError):
        read_image(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_the_first_frame_of_an_animation_is_shown_and_not_its_hidden_picture():
    black, first = Image.new("RGB", (48, 32)), quarters()
    data = encoded(black, "PNG", save_all=True, default_image=True, append_images=[first, black])
    image = read_image(data)
    assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 0)
    assert len(image.notes) == 1


def test_a_first_frame_smaller_than_the_canvas_lies_on_white():
    frame = np.asarray(quarters(16, 12))
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in frame))
    hidden = zlib.compress(bytes(32 * 145))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 8, 2, 0, 0, 0))
    control = struct.pack(">IIIIIHHBB", 0, 16, 12, 20, 8, 1, 10, 0, 0)
    parts = [header, png_chunk(b"acTL", struct.pack(">II", 1, 0)), png_chunk(b"IDAT", hidden)]
    parts += [png_chunk(b"fcTL", control), png_chunk(b"fdAT", struct.pack(">I", 1) + pixels), png_chunk(b"IEND", b"")]
    image = read_image(START + b"".join(parts))
    expected = np.full((32, 48, 3), 255, np.uint8)
    expected[8:20, 20:36] = frame
    assert np.array_equal(np.asarray(image.rgb), expected)
    assert image.notes == ()
