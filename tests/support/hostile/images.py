"""Small valid image files of every kind that is read, and hostile ones: bombs, many frames, polyglots."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from tests.support.image_files import (
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

_PHOTO, _BITS = noise(40, 24), noise(40, 24).convert("1")
_RANDOM = np.random.default_rng(0)


def _raw(size):
    return _RANDOM.bytes(size)


def _packbits_bmp():
    """BMP with run lengths of 8-bit indices."""
    head = struct.pack("<IiiHHIIiiII", 40, 40, 24, 1, 8, 1, 0, 0, 0, 2, 0)
    body = head + bytes((0, 0, 0, 0, 255, 255, 255, 0)) + b"\x28\x01\0\0" * 24 + b"\0\1"
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 14 + 48) + body


SMALL_FILES = {
    "JPEG": encoded(_PHOTO, "JPEG"),
    "JPEG with EXIF": encoded(
        _PHOTO, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\1\0\0\0\6\0\0\0\0\0\0\0"
    ),
    "JPEG progressive CMYK": encoded(_PHOTO.convert("CMYK"), "JPEG", progressive=True),
    "MPO": several("MPO"),
    "PNG": encoded(_PHOTO, "PNG"),
    "PNG palette": encoded(with_transparent_index(), "PNG"),
    "PNG 16 bit": encoded(Image.fromarray(_RANDOM.integers(0, 65535, (16, 16)).astype(np.uint16)), "PNG"),
    "PNG animated": several("PNG"),
    "WebP": encoded(_PHOTO, "WEBP"),
    "WebP lossless": encoded(_PHOTO.convert("RGBA"), "WEBP", lossless=True),
    "WebP animated": several("WEBP", lossless=True),
    "GIF": encoded(_PHOTO, "GIF"),
    "GIF animated": several("GIF"),
    "BMP": encoded(_PHOTO, "BMP"),
    "BMP palette": encoded(_PHOTO.quantize(16), "BMP"),
    "BMP run lengths": _packbits_bmp(),
    "TIFF": encoded(_PHOTO, "TIFF"),
    "TIFF LZW": encoded(_PHOTO, "TIFF", compression="tiff_lzw"),
    "TIFF PackBits": encoded(_PHOTO, "TIFF", compression="packbits"),
    "TIFF JPEG": encoded(_PHOTO, "TIFF", compression="jpeg"),
    "TIFF fax 3": encoded(_BITS, "TIFF", compression="group3"),
    "TIFF fax 4": encoded(_BITS, "TIFF", compression="group4"),
    "TIFF palette": encoded(_PHOTO.quantize(16), "TIFF"),
    "TIFF CMYK": encoded(_PHOTO.convert("CMYK"), "TIFF"),
    "TIFF Lab": encoded(_PHOTO.convert("LAB"), "TIFF"),
    "TIFF float": encoded(column(-1, 0, 5, dtype=np.float32), "TIFF"),
    "TIFF pages": several("TIFF"),
    "TIFF predictor": encoded(_PHOTO, "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2}),
    "TIFF float predictor": one_picture(
        zlib.compress(_raw(24 * 40 * 4)), tags_of(24, 40, 32, 1, 1, form=3, compression=8, _317=[3])
    ),
    "TIFF planes": one_picture([_raw(40 * 24 * 2)] * 3, tags_of(24, 40, 16, planar=2), ">"),
    "TIFF tiles": one_picture([_raw(16 * 32)] * 6, tags_of(24, 40, 4, 3, 1, _320=[9] * 48, _322=[16], _323=[16])),
    "TIFF YCbCr": one_picture(_raw(12 * 20 * 6), tags_of(24, 40, 8, 6, 3, _530=[2, 2])),
    "TIFF alpha": one_picture(_raw(24 * 40 * 8), tags_of(24, 40, 16, 2, 4, _338=[1])),
    "TIFF 12 bit": one_picture(_raw(24 * 60), tags_of(24, 40, 12, 1, 1)),
    "BigTIFF": one_picture(_raw(24 * 40 * 3), tags_of(24, 40), big=True),
    "HEIC": heic(_PHOTO),
    "AVIF": encoded(_PHOTO, "AVIF"),
    "AVIF alpha": encoded(_PHOTO.convert("RGBA"), "AVIF"),
    "AVIF animated": several("AVIF"),
}

# --- Bombs -----------------------------------------------------------------------------------------------------------


def jpeg_claiming(width, height):
    data = encoded(quarters(), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def webp_canvas_claiming(width, height):
    """WebP whose small frame is on a canvas of this size."""
    frame = encoded(quarters(), "WEBP", lossless=True)[12:]
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sides + frame
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif_frame_claiming(width, height):
    """GIF whose first frame is larger than its canvas."""
    data = bytearray(encoded(quarters(), "GIF"))
    at = data.index(b"\x2c\0\0\0\0\x30\0\x20\0")
    data[at + 5 : at + 9] = struct.pack("<HH", width, height)
    return bytes(data)


def bmp_top_down_claiming(width, height):
    head = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 154, 0, 0, 54) + head + bytes(100)


def png_with_too_many_pixels(side=64, size=200_000_000):
    """PNG whose compressed data unpacks to far more than its image."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = b"".join(b"\0" + bytes(3 * side) for _ in range(side))
    packed = packer.compress(rows) + b"".join(packer.compress(bytes(10**6)) for _ in range(size // 10**6))
    pixels = png_chunk(b"IDAT", packed + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + pixels + png_chunk(b"IEND", b"")


def avif_with_many_lists(count=9000, size=8_000_000):
    """AVIF followed by many lists of no items, in a large file."""
    lists = struct.pack(">I4sIHH", 16, b"iloc", 0, 0x4440, 0) * count
    names = b"infe" * (size // 4)
    moov = struct.pack(">I4s", 8 + len(lists), b"moov") + lists
    return encoded(quarters(), "AVIF") + moov + struct.pack(">I4s", 8 + len(names), b"free") + names


TOO_LARGE = {
    "JPEG": jpeg_claiming(65_000, 65_000),
    "JPEG within Pillow's limit": jpeg_claiming(8_100, 8_100),
    "WebP canvas": webp_canvas_claiming(16_384, 16_384),
    "GIF frame": gif_frame_claiming(60_000, 60_000),
    "GIF frame within Pillow's limit": gif_frame_claiming(8_100, 8_100),
    "BMP top down": bmp_top_down_claiming(60_000, 60_000),
}

# --- Many frames -----------------------------------------------------------------------------------------------------


def _gif(count):
    data = encoded(quarters(), "GIF")
    at = data.index(b"\x2c\0\0\0\0")
    return data[:-1] + data[at:-1] * (count - 1) + data[-1:]


def _png(count):
    still = encoded(quarters(), "PNG")
    at = still.index(b"IDAT")
    (length,) = struct.unpack(">I", still[at - 4 : at])
    pixels = still[at + 4 : at + 4 + length]
    control = struct.pack(">IIIIHHBB", 48, 32, 0, 0, 1, 10, 0, 0)
    parts = [still[: at - 4], png_chunk(b"acTL", struct.pack(">II", count, 0)), png_chunk(b"fcTL", bytes(4) + control)]
    parts.append(png_chunk(b"IDAT", pixels))
    for place in range(1, count):
        parts.append(png_chunk(b"fcTL", struct.pack(">I", 2 * place - 1) + control))
        parts.append(png_chunk(b"fdAT", struct.pack(">I", 2 * place) + pixels))
    return b"".join([*parts, png_chunk(b"IEND", b"")])


def _webp(count):
    frame = encoded(quarters(), "WEBP", lossless=True)[12:]
    three = [number.to_bytes(3, "little") for number in (0, 0, 47, 31, 100)]
    frame = b"".join(three) + b"\0" + frame
    sides = (47).to_bytes(3, "little") + (31).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + sides + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    body += (b"ANMF" + struct.pack("<I", len(frame)) + frame) * count
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _tiff(count):
    pages = [Image.new("L", (8, 8), shade % 256) for shade in range(count)]
    return encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])


MANY_FRAMES = {"GIF": _gif, "PNG": _png, "WebP": _webp}

# --- Polyglots -------------------------------------------------------------------------------------------------------


def archive(**files):
    """Bytes of a zip archive with these texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return buffer.getvalue()


PAGE = b"<!DOCTYPE html><script>alert(1)</script>"
AFTER = {  # what can follow an image in its file
    "a zip archive": archive(page=PAGE),
    "a web page": PAGE,
    "a PDF": b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n",
    "PHP": b"<?php system('id'); ?>",
    "another image": encoded(Image.new("RGB", (48, 32)), "PNG"),
    "a pickle": b"cposix\nsystem\n(S'id'\ntR.",
}
POLYGLOT_KINDS = ("JPEG", "PNG", "GIF", "BMP", "WebP lossless", "TIFF", "HEIC", "AVIF")
