"""Pictures that tests make: nothing is read from disk but what a test wrote."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pillow_heif
from PIL import Image

from vitviz.images import SafeImage

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


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def heic(image, exif=None, **options):
    file = BytesIO()
    options = {"quality": 95, "chroma": 444} | options
    pillow_heif.from_pillow(image).save(file, **options, **({} if exif is None else {"exif": exif.tobytes()}))
    return file.getvalue()


def corners(image):
    """The colours in the middle of the four quarters, row by row."""
    width, height = image.size
    return [image.getpixel((x, y)) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]


def assert_close(colours, expected, tolerance):
    assert np.abs(np.array(colours, int) - np.array(expected, int)).max() <= tolerance, f"{colours} is not {expected}"


def safe(image):
    return SafeImage(image)


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
    ("HEIC", heic(quarters()), 6),
    ("AVIF", encoded(quarters(), "AVIF", quality=95, subsampling="4:4:4"), 6),
    ("TIFF deflate", encoded(quarters(), "TIFF", compression="tiff_adobe_deflate"), 0),
]


def with_transparent_index():
    image = quarters().quantize(4)
    image.info["transparency"] = image.getpixel((40, 8))  # green
    return image


RAMP16 = np.linspace(0, 65535, 256 * 16).round().astype(np.uint16).reshape(16, 256)


def column(*values, dtype):
    """An 8 x 8 image whose columns repeat `values`."""
    return Image.fromarray(np.resize(np.array(values, dtype), 8)[None].repeat(8, axis=0))


def several(kind, **options):
    return encoded(quarters(), kind, save_all=True, append_images=[Image.new("RGB", (48, 32), BLACK)], **options)


def assert_one_sentence(message):
    assert message.endswith(".")
    assert "\n" not in message
    assert ". " not in message
    assert "Error" not in message
    assert "Exception" not in message
