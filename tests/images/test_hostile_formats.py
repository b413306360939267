"""vitviz.images bounds time and memory, whatever a file claims."""

import re
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.support.image_files import FORMAT_TABLE, assert_close, corners, encoded, heic, noise, png_chunk, quarters
from tests.support.tiff_files import Tiff, one_picture, tags_of
from vitviz.errors import ImageError
from vitviz.images import formats, read_image

TOO_LARGE = "64 megapixels"


def peak_of(data):
    """Read a file; return the peak memory of Python and NumPy beside the file, and the image or the refusal."""
    tracemalloc.start()
    try:
        outcome = read_image(data)
    except ImageError as error:
        outcome = str(error)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak, outcome


def exif_of_many_tags(count=20_000, size=2_000_000):
    """EXIF data in which every tag claims all of the data."""
    entries = b"".join(struct.pack("<HHII", 1000 + i, 7, size, 8) for i in range(count))
    return (b"II*\0" + struct.pack("<IH", 8, count) + entries).ljust(size + 8, b"\0")


def jpeg_with(exif):
    """Create a JPEG with EXIF data in as many segments as needed, which Pillow joins."""
    data = encoded(quarters(), "JPEG", quality=95, subsampling=0)
    pieces = [exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    segments = (b"\xff\xe1" + struct.pack(">H", len(piece) + 8) + b"Exif\0\0" + piece for piece in pieces)
    return data[:2] + b"".join(segments) + data[2:]


def webp_with(exif):
    data = encoded(quarters(), "WEBP", lossless=True, exif=b"Exif\0\0II*\0" + bytes(8))
    at = data.index(b"EXIF")
    data = data[:at] + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def avif_with_exif():
    """Create an AVIF whose EXIF data is replaced by data of the same length after Pillow wrote it."""
    exif = exif_of_many_tags()
    harmless = exif[:8] + bytes(2) + bytes([255]) * (len(exif) - 10)
    data = encoded(quarters(), "AVIF", quality=95, subsampling="4:4:4", exif=harmless)
    assert harmless in data
    return data.replace(harmless, exif)


def text_bombs():
    bomb = b"comment\0\0" + zlib.compress(bytes(30_000_000), 9)
    data = encoded(quarters(), "PNG")
    return data[:33] + png_chunk(b"zTXt", bomb) * 50 + data[33:]


BESIDE = {
    "JPEG EXIF": lambda: jpeg_with(exif_of_many_tags()),
    "PNG EXIF": lambda: encoded(quarters(), "PNG", exif=exif_of_many_tags()),
    "WebP EXIF": lambda: webp_with(exif_of_many_tags()),
    "AVIF EXIF": avif_with_exif,
    "PNG text": text_bombs,
    "GIF comments": lambda: gif_with_comments(),
}


def gif_with_comments():
    data = encoded(quarters(), "GIF")
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:at] + b"\x21\xfe" + (b"\xff" + bytes(255)) * 20_000 + b"\0" + data[at:]


@pytest.mark.parametrize("kind", BESIDE)
def test_what_stands_beside_a_picture_costs_little_and_does_not_hide_it(kind):
    data = BESIDE[kind]()
    peak, image = peak_of(data)
    assert peak < 3 * len(data) + 2_000_000
    assert_close(corners(image.rgb), corners(quarters()), 8)


# --- TIFF ------------------------------------------------------------------------------------------------------------


def endless(tiff, **links):
    """Directory of an image that points back to itself."""
    at = tiff.directory([bytes(64 * 64 * 3)], tags_of(64, 64, **links), following=0x01020304)
    return tiff, at


def chain_in_a_circle():
    tiff, at = endless(Tiff())
    return tiff.file(at).replace(struct.pack("<I", 0x01020304), struct.pack("<I", at))


def subs_in_a_circle():
    tiff = Tiff()
    at = tiff.directory([bytes(64 * 64 * 3)], tags_of(64, 64, _254=[1], _330=[0x01020304] * 5000))
    return tiff.file(at).replace(struct.pack("<I", 0x01020304), struct.pack("<I", at))


def very_many_pages():
    tiff, at = Tiff(), 0
    for _ in range(5000):
        at = tiff.directory([bytes(3)], tags_of(64, 64, _254=[1]), at)
    return tiff.file(at)


def tags_that_claim_everything():
    count = 60_000
    entries = b"".join(struct.pack("<HHII", 5000 + i, 1, 3_000_000, 8) for i in range(count))
    return (b"II*\0" + struct.pack("<IH", 8, count) + entries).ljust(3_000_100, b"\0")


def big_counts():
    tiff = Tiff(big=True)
    data = tiff.file(tiff.directory([bytes(64 * 64 * 3)], tags_of(64, 64, _320=[0x0102, 0x0304] * 9)))
    return data.replace(struct.pack("<HHQ", 320, 3, 18), struct.pack("<HHQ", 320, 3, 2**62))


def strips_that_share_their_bytes():
    strips, body = 4000, zlib.compress(np.random.default_rng(0).bytes(2_000_000))
    tags = tags_of(strips, 250, samples=1, photometric=1, compression=8, _278=[1])
    tiff = Tiff()
    at = tiff.put(body)
    tags |= {273: (4, [at] * strips), 279: (4, [len(body)] * strips)}
    return tiff.file(tiff.directory([], tags))


CLAIMS_OF_TIFF = {
    "a chain in a circle": (chain_in_a_circle, None),
    "sub-directories in a circle": (subs_in_a_circle, None),
    "very many pages": (very_many_pages, "damaged"),
    "tags that claim everything": (tags_that_claim_everything, "damaged"),
    "counts beyond all files": (big_counts, None),
    "strips that share their bytes": (strips_that_share_their_bytes, None),
    "too many samples": (lambda: one_picture(bytes(99), tags_of(64, 64, 8, 2, 1) | {277: (3, [60_000])}), ""),
    "wide samples": (lambda: one_picture(bytes(99), tags_of(7900, 7900, 64, 1, 1, form=3)), "MB"),
    "planes": (lambda: one_picture([bytes(99)] * 3, tags_of(7900, 7900, 32, 2, 3, planar=2, form=3)), "MB"),
    "bits": (lambda: one_picture(bytes(10**6), tags_of(7900, 7900, 1, 2, 32, _338=[0] * 29)), "MB"),
    "pixels": (lambda: one_picture(bytes(99), tags_of(9000, 9000, 8, 1, 1)), TOO_LARGE),
    "tiles": (lambda: one_picture(bytes(99), tags_of(64, 64, 8, 1, 1, _322=[46_000], _323=[46_000])), TOO_LARGE),
    "wide tiles": (lambda: one_picture(bytes(99), tags_of(64, 64, 64, 1, 1, 1, 3, _322=[7900], _323=[7900])), "MB"),
    "very small tiles": (lambda: one_picture(bytes(99), tags_of(7900, 7900, 8, 1, 1, _322=[1], _323=[1])), "damaged"),
}


@pytest.mark.parametrize("claim", CLAIMS_OF_TIFF)
def test_what_a_tiff_claims_costs_no_more_than_it_holds(claim):
    make, sentence = CLAIMS_OF_TIFF[claim]
    data = make()
    peak, outcome = peak_of(data)
    assert peak < 3 * len(data) + 30_000_000
    if sentence is None:
        assert not isinstance(outcome, str), outcome
    else:
        assert isinstance(outcome, str)
        assert sentence in outcome


@pytest.mark.parametrize("samples", [1, 3])
def test_a_tiff_that_unpacks_to_more_than_its_picture_costs_no_more(samples):
    bomb = zlib.compress(bytes(100_000_000), 9)
    data = one_picture(bomb, tags_of(64, 64, 8, 2 if samples == 3 else 1, samples, compression=8))
    peak, _ = peak_of(data)
    assert peak < 2_000_000


# --- HEIC and AVIF ---------------------------------------------------------------------------------------------------


def claiming(data, width, height):
    """Change the size that the container of a file claims."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


SMALL = {"HEIC": heic(noise(64, 48)), "AVIF": encoded(noise(64, 48), "AVIF")}


@pytest.mark.parametrize("kind", SMALL)
def test_a_size_that_is_too_large_is_refused_before_decoding(kind, monkeypatch):
    def load(*_):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(formats.heic.pillow_heif.heif.BaseImage, "load", load)
    monkeypatch.setattr(Image.Image, "load", load)
    for size in ((9000, 9000), (16_000, 16_000)):
        with pytest.raises(ImageError, match=TOO_LARGE):
            read_image(claiming(SMALL[kind], *size))


def test_an_avif_that_is_larger_than_its_container_says_is_refused_before_decoding(monkeypatch):
    data = SMALL["AVIF"]
    at = data.index(b"\x12\0\x0a") + 4  # the header of the AV1 stream: its length, and then
    length = data[at - 1]
    bits = "".join(f"{byte:08b}" for byte in data[at : at + length])
    assert bits[4:5] + bits[10:30] == f"1{5:04b}{5:04b}{63:06b}{47:06b}"  # for 64 and 48 pixels 6 bits are enough
    bits = bits[:10] + f"{13:04b}{13:04b}{8999:014b}{8999:014b}" + bits[30:]
    header = bytes(int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8))
    more = len(header) - length
    large = data[: at - 1] + bytes([len(header)]) + header + data[at + length :]
    for name, place in ((b"mdat", -4), (b"iloc", 22)):  # both state how long the stream is
        at = large.index(name) + place
        (size,) = struct.unpack_from(">I", large, at)
        large = large[:at] + struct.pack(">I", size + more) + large[at + 4 :]
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match=TOO_LARGE):
        read_image(large)


def test_a_heic_of_another_size_than_its_container_says_is_refused():
    for size in ((16, 16), (640, 480)):
        with pytest.raises(ImageError):
            read_image(claiming(SMALL["HEIC"], *size))


@pytest.mark.parametrize("kind", SMALL)
def test_boxes_in_boxes_without_end(kind):
    data = SMALL[kind]
    nested = b"".join(struct.pack(">I4s", 8 * (5000 - i), b"moov") for i in range(5000))
    flat = struct.pack(">I4s", 8, b"free") * 100_000
    for boxes in (nested, flat, struct.pack(">I4s", 0, b"meta"), struct.pack(">I4sQ", 1, b"meta", 2**63)):
        try:
            image = read_image(data + boxes)
        except ImageError:
            continue
        assert image.rgb.size == (64, 48)


def test_a_jpeg_of_very_many_passes_is_refused_at_once():
    data = encoded(noise(64, 48), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    with pytest.raises(ImageError, match=r"\b100\b"):
        read_image(data[:at] + data[at:-2] * 5000 + data[-2:])


# --- All formats -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [MemoryError(), OSError(-9), RuntimeError("Memory allocation error: Security limit")])
def test_want_of_memory_is_not_called_damage(said, monkeypatch):
    def load(*_):
        raise said

    data = encoded(quarters(), "PNG")
    monkeypatch.setattr(Image.Image, "load", load)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(ImageError) as caught:
        read_image(data)
    assert "damaged" not in str(caught.value)
    assert re.search("memory", str(caught.value))


def test_many_threads_read_as_one_does():
    files = [data for _, data, _ in FORMAT_TABLE] * 4
    expected = [read_image(data).rgb.tobytes() for data in files]
    with ThreadPoolExecutor(8) as pool:
        assert [image.rgb.tobytes() for image in pool.map(read_image, files)] == expected


def test_orientation_beyond_all_numbers_turns_nothing():
    for kind in (0, 9, 65535):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = kind
        assert_close(corners(read_image(encoded(quarters(), "PNG", exif=exif)).rgb), corners(quarters()), 0)
