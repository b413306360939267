"""Compressed segments of a TIFF are read to their end, for codes of any length; truncated ones are refused."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.support.image_files import encoded, noise
from tests.support.tiff_files import one_picture, tags_of
from vitviz.errors import ImageError
from vitviz.images import read_image

FAX = {
    "group 3": ("group3", {}),
    "group 3, two-dimensional": ("group3", {292: 1}),
    "group 3, filled up": ("group3", {292: 4}),
    "group 3, two-dimensional and filled up": ("group3", {292: 5}),
    "group 4": ("group4", {}),
    "modified Huffman": ("tiff_ccitt", {}),
}
BYTES = {name: (name, {}) for name in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg")}
SIZES = [(8, 8), (9, 40), (40, 8), (61, 43), (300, 200), (900, 300)]


def dots(width, height, share=0.5):
    """Random dots, a fraction of them white."""
    return Image.fromarray(np.random.default_rng(width).random((height, width)) < share)


def dithered(width, height):
    """Alternating dots with a little noise, for which fax codes are longer than the uncompressed dots."""
    rows, columns = np.indices((height, width))
    return Image.fromarray((rows + columns) % 2 != np.asarray(dots(width, height, 0.05)))


def as_pillow_reads(data):
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def file_of(picture, kind, strip=65536, **tags):
    compression, options = (FAX | BYTES)[kind]
    more = {"quality": 100, "subsampling": 0} if kind == "jpeg" else {}
    tags = {**options, **{int(tag[1:]): value for tag, value in tags.items()}}
    return encoded(picture, "TIFF", compression=compression, tiffinfo=tags, strip_size=strip, **more)


def segments_of(data):
    """Offsets and lengths of the strips of a file, and the positions of both in the file."""
    image = Image.open(BytesIO(data))
    return list(zip(image.tag_v2[273], image.tag_v2[279], strict=True))


def shortened(data, share):
    """Truncate an image of one strip, with the right length in its tag."""
    ((start, length),) = segments_of(data)
    image = Image.open(BytesIO(data))
    tags = {tag: image.tag_v2[tag] for tag in (256, 257, 258, 259, 262, 277, 292, 293, 530) if tag in image.tag_v2}
    tags = {tag: (4, list(value) if isinstance(value, tuple) else [value]) for tag, value in tags.items()}
    if 347 in image.tag_v2:
        tags[347] = (7, list(image.tag_v2[347]))
    return one_picture(data[start : start + max(1, round(length * share))], tags)


@pytest.mark.parametrize("reversed_bits", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", FAX)
def test_dots_in_fax_codes_are_read_as_pillow_reads_them(kind, size, reversed_bits):
    for picture in (dithered(*size), dots(*size), dots(*size, 0.1), dots(*size, 0.97)):
        for strip in (65536, size[0] // 8 * 9 + 9):
            data = file_of(picture, kind, strip, _266=2 if reversed_bits else 1)
            assert np.array_equal(np.asarray(read_image(data).rgb), as_pillow_reads(data))


def test_fax_codes_can_be_many_times_as_long_as_the_dots():
    lengths = {kind: segments_of(file_of(dithered(900, 300), kind, 10**6))[0][1] for kind in FAX}
    assert min(lengths.values()) > 2 * 900 * 300 / 8 + 1000, "the pictures above have to need more"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", BYTES)
def test_noise_in_codes_of_bytes_is_read_as_pillow_reads_it(kind, mode, size):
    for strip in (10**6, size[0] * len(mode)):  # and strips of one row
        data = file_of(noise(*size).convert(mode), kind, strip)
        assert np.array_equal(np.asarray(read_image(data).rgb), as_pillow_reads(data))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("kind", FAX | BYTES)
def test_a_strip_that_is_too_short_is_refused(kind, share):
    picture = dots(211, 90) if kind in FAX else noise(83, 61)
    data = file_of(picture, kind, 10**6)
    assert np.array_equal(np.asarray(read_image(shortened(data, 1)).rgb), as_pillow_reads(data))
    with pytest.raises(ImageError, match="damaged"):
        read_image(shortened(data, share))


@pytest.mark.parametrize("reversed_bits", [False, True])
@pytest.mark.parametrize("kind", FAX)
def test_codes_that_end_before_the_last_row_are_refused(kind, reversed_bits):
    picture = dots(211, 90)
    data = file_of(picture, kind, _266=2 if reversed_bits else 1)
    ((start, length),) = segments_of(data)
    number = {"group3": 3, "group4": 4, "tiff_ccitt": 2}[FAX[kind][0]]
    options = {"_292": [FAX[kind][1].get(292, 0)]} if number == 3 else {}
    for rows, ends in ((90, False), (91, True), (150, True)):
        tags = tags_of(rows, 211, 1, 1, 1, compression=number, _266=[2 if reversed_bits else 1], **options)
        codes = data[start : start + length]
        claimed = one_picture(codes + (b"\x00\x10\x01" * 3 if number == 4 and not reversed_bits else b""), tags)
        if ends:
            with pytest.raises(ImageError, match="damaged"):
                read_image(claimed)
        else:
            shown = np.asarray(read_image(claimed).rgb)[..., 0] > 0
            assert (shown == np.asarray(picture)).all() or (shown != np.asarray(picture)).all()


@pytest.mark.parametrize("kind", ["group 3", "group 4", "modified Huffman"])
def test_white_rows_that_are_stored_are_not_missing(kind):
    picture = Image.new("1", (211, 90), 1)
    for start in (picture, dots(211, 90)):
        page = start.copy()
        page.paste(1, (0, 40, 211, 90))
        data = file_of(page, kind)
        assert np.array_equal(np.asarray(read_image(data).rgb), as_pillow_reads(data))


def test_segments_of_no_stated_length_are_read_to_their_end():
    data = file_of(dithered(300, 200), "group 4", 10**6)
    ((start, length),) = segments_of(data)
    image = Image.open(BytesIO(data))
    tags = tags_of(200, 300, 1, image.tag_v2[262], 1, compression=4)
    known = one_picture(data[start : start + length], tags)
    place = known.index(b"\x17\x01\x04\x00\x01\x00\x00\x00")  # the tag of the lengths becomes one that means nothing
    unknown = known[:place] + b"\x18" + known[place + 1 :]
    assert np.array_equal(np.asarray(read_image(unknown).rgb), as_pillow_reads(data))
