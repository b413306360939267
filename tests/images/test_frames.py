"""vitviz.images.read_image: first frames and orientations as in browsers."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from tests.images.test_reading import STORED_AS
from tests.support.image_files import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    assert_close,
    assert_one_sentence,
    corners,
    encoded,
    quarters,
)
from vitviz.errors import ImageError
from vitviz.images import read_image

# --- First frames smaller than their canvas --------------------------------------------------------------------------

CANVAS, PLACE, FRAME = (64, 48), (18, 10), (32, 24)
COLOURS = [RED, GREEN, BLUE, WHITE]
INDICES = np.arange(4, dtype=np.uint8).reshape(2, 2).repeat(FRAME[1] // 2, axis=0).repeat(FRAME[0] // 2, axis=1)


def on_canvas(frame=None):
    canvas = Image.new("RGB", CANVAS, "white")
    canvas.paste(frame or quarters(*FRAME), PLACE)
    return np.asarray(canvas)


def gif(transparent=None, background=0, local=False, canvas=CANVAS, further=b"", interlaced=False):
    """Create a GIF of one frame with four colours, and a background colour that browsers ignore."""
    frame = Image.fromarray(INDICES)
    frame.putpalette([value for colour in COLOURS for value in colour])
    data = encoded(frame, "GIF", interlace=interlaced)
    at = data.index(b"\x2c")
    flags, body = data[at + 9], data[at + 10 :]
    body = body[3 * 2 ** ((flags & 7) + 1) :] if flags & 128 else body
    table = bytes(value for colour in COLOURS for value in colour)
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0 if local else 0x81, background, 0) + (b"" if local else table)
    control = b"" if transparent is None else b"\x21\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    image = b"\x2c" + struct.pack("<HHHHB", *PLACE, *FRAME, flags & 0x40 | (0x81 if local else 0))
    return head + control + image + (table if local else b"") + body[:-1] + further + b"\x3b"


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("background", [0, 1, 3])
def test_what_the_first_frame_of_a_gif_leaves_is_empty(background, local, interlaced):
    data = gif(background=background, local=local, interlaced=interlaced)
    for source in (data, Image.open(BytesIO(data))):
        image = read_image(source)
        assert np.array_equal(np.asarray(image.rgb), on_canvas())
        assert image.notes == ()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_transparent_colour_of_a_small_first_frame(index):
    colours = [*COLOURS[:index], WHITE, *COLOURS[index + 1 :]]
    expected = on_canvas(Image.fromarray(np.array(colours, np.uint8)[INDICES]))
    assert np.array_equal(np.asarray(read_image(gif(transparent=index)).rgb), expected)


def test_a_frame_that_is_larger_than_its_canvas_enlarges_it():
    image = read_image(gif(canvas=(20, 12)))
    assert image.rgb.size == (PLACE[0] + FRAME[0], PLACE[1] + FRAME[1])
    assert_close(image.rgb.getpixel((PLACE[0] + 1, PLACE[1] + 1)), RED, 0)


def test_further_frames_of_a_gif_do_not_show_and_a_note_tells_of_them():
    frame = gif(canvas=(20, 12))
    image = read_image(gif(further=frame[frame.index(b"\x2c") : -1]))
    assert np.array_equal(np.asarray(image.rgb), on_canvas())
    assert len(image.notes) == 1
    assert read_image(gif(further=b"\x21\xfe\x05hello\0")).notes == ()


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_what_the_first_frame_of_a_webp_leaves_is_empty(mode):
    frame = encoded(quarters(*FRAME).convert(mode), "WEBP", lossless=True)[12:]
    three = [number.to_bytes(3, "little") for number in (PLACE[0] // 2, PLACE[1] // 2, FRAME[0] - 1, FRAME[1] - 1, 100)]
    body = chunk(b"VP8X", b"\x02\0\0\0" + b"".join((side - 1).to_bytes(3, "little") for side in CANVAS))
    body += chunk(b"ANIM", b"\x20\x40\x80\xff\0\0") + chunk(b"ANMF", b"".join(three) + b"\0" + frame)
    image = read_image(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)
    assert np.array_equal(np.asarray(image.rgb), on_canvas())


# --- Orientation -----------------------------------------------------------------------------------------------------

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def png_with_xmp():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return encoded(quarters(), "PNG", pnginfo=info)


WITH_XMP = {
    "JPEG": lambda: encoded(quarters(), "JPEG", quality=95, subsampling=0, xmp=XMP),
    "WebP": lambda: encoded(quarters(), "WEBP", lossless=True, xmp=XMP),
    "PNG": png_with_xmp,
    "TIFF": lambda: encoded(quarters(), "TIFF", tiffinfo={700: XMP}),
}


@pytest.mark.parametrize("kind", WITH_XMP)
def test_orientation_that_stands_only_in_xmp_is_left_alone(kind):
    data = WITH_XMP[kind]()
    assert XMP in data
    for source in (data, Image.open(BytesIO(data))):
        image = read_image(source)
        assert image.rgb.size == (48, 32)
        assert_close(corners(image.rgb), COLOURS, 6)
    image = Image.open(BytesIO(data))
    if kind != "TIFF":  # which Pillow itself turns while it decodes
        image.load()
        assert_close(corners(read_image(image).rgb), COLOURS, 6)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_orientation_in_either_byte_order(orientation, order):
    turn = STORED_AS[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    start = b"II*\0" if order == "<" else b"MM\0*"
    exif = start + struct.pack(order + "IHHHIHHI", 8, 1, ExifTags.Base.Orientation, 3, 1, orientation, 0, 0)
    for kind in ("JPEG", "PNG", "WEBP"):
        options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True}
        data = encoded(stored, kind, exif=b"Exif\0\0" + exif, **options)
        assert_close(corners(read_image(data).rgb), COLOURS, 6)


# --- JPEG and BMP ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("marker", "bits"), [(0xC1, 12), (0xC3, 8), (0xC7, 8)])
def test_a_jpeg_of_a_rare_kind_is_named_and_not_called_damaged(marker, bits):
    data = bytearray(encoded(quarters(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    with pytest.raises(ImageError) as caught:
        read_image(bytes(data))
    assert_one_sentence(str(caught.value))
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("adobe", [0, 2], ids=["CMYK", "YCCK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_cmyk_jpeg_of_adobe_is_no_negative(progressive, adobe):
    data = encoded(quarters().convert("CMYK"), "JPEG", quality=95, subsampling=0, progressive=progressive)
    if adobe == 2:  # the same numbers as luma, chroma and black
        inks = np.asarray(quarters().convert("CMYK"))
        ycck = np.dstack([np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr")), 255 - inks[..., 3]])
        ycck = Image.frombytes("CMYK", (48, 32), (255 - ycck).tobytes())  # Pillow writes it inverted
        data = encoded(ycck, "JPEG", quality=95, subsampling=0, progressive=progressive)
        at = data.index(b"Adobe") + 11
        data = data[:at] + b"\x02" + data[at + 1 :]
    assert_close(corners(read_image(data).rgb), COLOURS, 12)


def test_profiles_previews_and_further_pictures_of_a_jpeg_are_left_alone():
    data = encoded(quarters(), "JPEG", quality=95, subsampling=0, icc_profile=bytes(200_000), comment=bytes(60_000))
    assert_close(corners(read_image(data + encoded(Image.new("RGB", (48, 32), BLACK), "JPEG")).rgb), COLOURS, 6)


def test_a_bmp_of_a_rare_kind_is_not_called_damaged():
    data = bytearray(encoded(quarters(), "BMP"))
    data[30:34] = struct.pack("<I", 5)  # a PNG within
    with pytest.raises(ImageError) as caught:
        read_image(bytes(data))
    assert_one_sentence(str(caught.value))
    assert "damaged" not in str(caught.value)
