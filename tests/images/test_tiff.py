"""vitviz.images.read_image: TIFF of every kind is decoded according to its tags, or refused by name."""

import itertools
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.support.image_files import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    assert_close,
    assert_one_sentence,
    corners,
    encoded,
    noise,
    quarters,
)
from tests.support.tiff_files import Tiff, one_picture, packed, tags_of
from vitviz.errors import ImageError
from vitviz.images import read_image
from vitviz.images.formats.tiff import segments

HEIGHT, WIDTH = 37, 53
DEPTHS = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
STORED = [  # how the samples are compressed and laid out; the picture must be the same
    {},
    {"byteorder": ">"},
    {"bigtiff": True},
    {"rowsperstrip": 5},
    {"tile": (16, 32)},
    {"compression": "zlib"},
    {"compression": "zlib", "predictor": True},
    {"compression": "zlib", "predictor": True, "byteorder": ">", "tile": (32, 16)},
]


def random_samples(depth, samples):
    random, dtype = np.random.default_rng(7), np.dtype(depth)
    if dtype.kind == "f":
        return (random.random((HEIGHT, WIDTH, samples)) * 3 - 1).astype(dtype)
    low, high = (0, np.iinfo(dtype).max) if dtype.kind == "u" else (-100, 100)
    return random.integers(low, high, (HEIGHT, WIDTH, samples), dtype=dtype, endpoint=True)


def as_seen(samples, photometric):
    """Expected pixels of these samples: scaled from the full range of a bit depth, or from minimum to maximum."""
    kind, numbers = samples.dtype, samples.astype(float)
    if kind.kind == "u" and kind.itemsize <= 2:
        share = numbers / np.iinfo(kind).max
    else:
        share = (numbers - numbers.min()) / np.ptp(numbers)
    share = 1 - share if photometric == "miniswhite" else share
    return np.broadcast_to(share * 255, (HEIGHT, WIDTH, 3))


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: " ".join(map(str, stored.values())) or "plain")
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_depth_colour_and_layout_is_read_as_another_library_wrote_it(depth, stored):
    for photometric, planar in [("minisblack", 0), ("miniswhite", 0), ("rgb", "contig"), ("rgb", "separate")]:
        samples = random_samples(depth, 1 if not planar else 3)
        data = samples[..., 0] if not planar else samples
        options = {"photometric": photometric, **stored}
        if samples.dtype.kind == "f":
            options.pop("predictor", None)
        if planar:
            options["planarconfig"] = planar
            data = np.ascontiguousarray(data.transpose(2, 0, 1)) if planar == "separate" else data
        file = BytesIO()
        tifffile.imwrite(file, data, metadata=None, **options)
        image = read_image(file.getvalue())
        assert_close(np.asarray(image.rgb), as_seen(samples, photometric), 1)
        assert len(image.notes) == (0 if depth in ("u1", "u2") else 1)
        # What Pillow opened, but did not decode, is decoded by the same rules.
        if depth in ("u1", "u2") and not stored:
            assert read_image(Image.open(BytesIO(file.getvalue()))).rgb.tobytes() == image.rgb.tobytes()


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize(("depth", "predictor"), [("u1", 2), ("u2", 2), ("i4", 2), ("f4", 2), ("f4", 3)])
def test_predictors(depth, predictor, compression):
    samples = random_samples(depth, 1)
    picture = Image.fromarray(samples[..., 0])
    plain, predicted = (encoded(picture, "TIFF", compression=compression, tiffinfo={317: n}) for n in (1, predictor))
    assert plain != predicted
    for data in (plain, predicted):
        assert_close(np.asarray(read_image(data).rgb), as_seen(samples, "minisblack"), 1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("depth", ["f2", "f4", "f8"])
def test_the_predictor_of_floats_in_colour(depth, order):
    samples = random_samples(depth, 3)
    size = samples.dtype.itemsize
    planes = samples.astype(samples.dtype.newbyteorder(">")).view(np.uint8).reshape(HEIGHT, WIDTH * 3, size)
    planes = planes.transpose(0, 2, 1).reshape(HEIGHT, -1, 3)
    differences = np.diff(planes, axis=1, prepend=np.zeros((HEIGHT, 1, 3), np.uint8))
    tags = tags_of(HEIGHT, WIDTH, 8 * size, form=3, compression=8, _317=[3])
    image = read_image(one_picture(zlib.compress(differences.tobytes()), tags, order))
    assert_close(np.asarray(image.rgb), as_seen(samples, "rgb"), 1)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 10, 12, 14])
def test_depths_that_do_not_fill_bytes(bits, photometric):
    numbers = np.arange(20 * 31).reshape(20, 31) % 2**bits
    data = one_picture(packed(numbers, bits), tags_of(20, 31, bits, photometric, samples=1))
    expected = np.rint(numbers * (255 / (2**bits - 1)))
    expected = 255 - expected if photometric == 0 else expected
    assert np.abs(np.asarray(read_image(data).rgb)[..., 1] - expected).max() <= 1


def test_12_bit_colours_in_planes_and_tiles():
    numbers = np.random.default_rng(3).integers(0, 4096, (32, 48, 3))
    tiles = [
        packed(numbers[top : top + 16, left : left + 16, plane], 12)
        for plane, top, left in itertools.product(range(3), (0, 16), (0, 16, 32))
    ]
    tags = tags_of(32, 48, 12, planar=2, _322=[16], _323=[16], _278=[])
    assert_close(np.asarray(read_image(one_picture(tiles, tags)).rgb), numbers * (255 / 4095), 1)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr", "P", "LA", "RGBA"])
def test_what_pillow_writes_is_read_as_pillow_reads_it(mode, compression):
    if (mode, compression) in (("P", "jpeg"), ("YCbCr", None)):
        pytest.skip("no such file, or one that not every Pillow reads")
    picture = noise(61, 43).quantize(16) if mode == "P" else noise(61, 43).convert(mode)
    if mode[-1] == "A":
        picture.putalpha(noise(61, 43, seed=1).convert("L"))
    data = encoded(picture, "TIFF", **({"compression": compression} if compression else {}))
    decoded = Image.open(BytesIO(data)).convert("RGBA")
    on_white = Image.new("RGB", decoded.size, "white")
    on_white.paste(decoded, mask=decoded)
    assert_close(np.asarray(read_image(data).rgb), np.asarray(on_white), 1)


@pytest.mark.parametrize("compression", ["raw", "group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("photometric", [0, 1])
def test_fax_compression(compression, photometric):
    picture = noise(64, 40).convert("1")
    data = encoded(picture, "TIFF", compression=compression, tiffinfo={262: photometric})
    shown = np.asarray(Image.open(BytesIO(data)).convert("L"))
    assert np.array_equal(np.asarray(read_image(data).rgb)[..., 0], shown)


PLAIN = np.asarray(quarters(48, 32))


def with_alpha(kind, bits=8, photometric=2):
    """Left half opaque, right half transparent; colours multiplied by alpha if it is associated."""
    opaque = np.broadcast_to(np.arange(48) < 24, (32, 48))
    white = 2**bits - 1
    colour = PLAIN if photometric == 2 else 255 - PLAIN[..., :1]
    colour = np.where(opaque[..., None] | (kind == 2), colour // 255, 0).astype(int) * white
    samples = np.dstack([colour, opaque * white]).astype(f"<u{bits // 8}")
    return one_picture(samples.tobytes(), tags_of(32, 48, bits, photometric, samples.shape[2], _338=[kind]))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [1, 2], ids=["associated", "unassociated"])
def test_alpha_is_laid_on_white(kind, bits):
    assert_close(corners(read_image(with_alpha(kind, bits)).rgb), [RED, WHITE, BLUE, WHITE], 0)
    grey = corners(read_image(with_alpha(kind, bits, photometric=0)).rgb)
    assert_close(grey, [WHITE, WHITE, (0, 0, 0), WHITE], 0)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_palettes_of_every_depth(bits):
    numbers = np.arange(16 * 24).reshape(16, 24) % 2**bits
    colours = np.random.default_rng(0).integers(0, 65536, (3, 2**bits))
    raw = packed(numbers, bits) if bits < 16 else numbers.astype("<u2").tobytes()
    data = one_picture(raw, tags_of(16, 24, bits, 3, 1, _320=colours.ravel().tolist()))
    assert_close(np.asarray(read_image(data).rgb), colours.T[numbers] / 257, 1)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_ycbcr_with_chroma_for_several_pixels(subsampling):
    across, down = subsampling
    ycbcr = np.asarray(quarters(48, 32).convert("YCbCr"))
    luma = ycbcr[..., 0].reshape(32 // down, down, 48 // across, across).transpose(0, 2, 1, 3)
    units = np.concatenate([luma.reshape(*luma.shape[:2], -1), ycbcr[::down, ::across, 1:]], axis=2)
    data = one_picture(units.tobytes(), tags_of(32, 48, 8, 6, 3, _530=list(subsampling)))
    assert_close(corners(read_image(data).rgb), [RED, GREEN, BLUE, WHITE], 2)


@pytest.mark.parametrize(("bits", "photometric"), [(8, 8), (8, 9), (16, 8), (16, 9)])
def test_lab(bits, photometric):
    lab = np.array([[54.3, 80.8, 69.9], [87.8, -79.3, 81], [29.6, 68.3, -112], [100, 0, 0]])  # of the four quarters
    pixels = lab.reshape(2, 2, 3).repeat(16, axis=0).repeat(24, axis=1)
    step = 2 ** (bits - 8)
    light = pixels[..., :1] * ((2**bits - 1) if photometric == 8 else 255 * step) / 100
    colour = pixels[..., 1:] * step + (0 if photometric == 8 else 128 * step)
    numbers = np.rint(np.dstack([light, colour])).astype(np.int64).astype(f"<u{bits // 8}")
    image = read_image(one_picture(numbers.tobytes(), tags_of(32, 48, bits, photometric)))
    assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 24)


def test_bands_beyond_the_colours_are_left_out_with_a_note():
    samples = np.dstack([PLAIN.astype("<u2") * 257, PLAIN[..., :2].astype("<u2")])
    image = read_image(one_picture(samples.tobytes(), tags_of(32, 48, 16, 2, 5, _338=[0, 0])))
    assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 0)
    assert len(image.notes) == 1
    assert_one_sentence(image.notes[0])


UNREADABLE = {
    "five bands": tags_of(32, 48, 8, 1, 5, _338=[0, 0, 0, 0]),
    "complex numbers": tags_of(32, 48, 64, 1, 1, form=6),
    "a camera's sensor": tags_of(32, 48, 16, 32803, 1),
    "a mask": tags_of(32, 48, 1, 4, 1),
    "JPEG 2000": tags_of(32, 48, compression=33003),
    "JPEG of the old style": tags_of(32, 48, photometric=6, compression=6),
    "a compression of the future": tags_of(32, 48, compression=54321),
    "different depths": tags_of(32, 48, _258=[5, 6, 5]),
    "24-bit floats": tags_of(32, 48, 24, 1, 1, form=3),
    "inks": tags_of(32, 48, 8, 5, 4, _332=[2]),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_kind_that_cannot_be_read_is_named_and_not_called_damaged(kind):
    with pytest.raises(ImageError) as caught:
        read_image(one_picture(bytes(32 * 48 * 10), UNREADABLE[kind]))
    assert_one_sentence(str(caught.value))
    assert "damaged" not in str(caught.value)


def stored(tiff, picture, reduced=None, following=0, **more):
    height, width = picture.shape[:2]
    tags = tags_of(height, width, **({} if reduced is None else {"_254": [reduced]}), **more)
    return tiff.directory([picture.tobytes()], tags, following)


SMALL = np.zeros((8, 12, 3), np.uint8)
LARGE = np.asarray(quarters(96, 64))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_the_full_picture_is_used_and_not_its_preview(order, big):
    tiff = Tiff(order, big)
    in_sub = tiff.file(stored(tiff, SMALL, 1, _330=[stored(tiff, LARGE, 0)]))
    tiff = Tiff(order, big)
    unmarked = tiff.file(stored(tiff, SMALL, _330=[stored(tiff, LARGE)]))
    tiff = Tiff(order, big)
    next_page = tiff.file(stored(tiff, SMALL, 1, following=stored(tiff, LARGE, 0)))
    tiff = Tiff(order, big)
    pyramid = tiff.file(stored(tiff, LARGE, _330=[stored(tiff, SMALL, 1)]))
    tiff = Tiff(order, big)
    thumbnail_last = tiff.file(stored(tiff, LARGE, following=stored(tiff, SMALL, 1)))
    for data in (in_sub, unmarked, next_page, pyramid, thumbnail_last):
        image = read_image(data)
        assert image.rgb.size == (96, 64)
        assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 0)
        assert image.notes == ()


def test_a_preview_of_what_cannot_be_read_comes_with_a_note():
    tiff = Tiff()
    raw = tiff.directory([bytes(64 * 96 * 2)], tags_of(64, 96, 16, 32803, 1, _254=[0]))
    data = tiff.file(stored(tiff, PLAIN, 1, _330=[raw]))
    image = read_image(data)
    assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 0)
    assert len(image.notes) == 1
    assert_one_sentence(image.notes[0])


def test_a_sub_directory_is_turned_as_its_page_says():
    tiff = Tiff()
    full = stored(tiff, np.asarray(quarters(96, 64).transpose(Image.Transpose.ROTATE_90)), 0)
    image = read_image(tiff.file(stored(tiff, SMALL, 1, _330=[full], _274=[6])))
    assert image.rgb.size == (96, 64)
    assert_close(corners(image.rgb), [RED, GREEN, BLUE, WHITE], 0)


@pytest.mark.parametrize("size", [(30, 41), (32, 41), (31, 44), (31, 41)])
def test_a_strip_that_is_larger_than_pillow_allows(size, monkeypatch):
    samples = np.random.default_rng(2).integers(0, 65536, (*size, 3)).astype("<u2")
    data = one_picture(zlib.compress(samples.tobytes()), tags_of(*size, 16, compression=8))
    monkeypatch.setattr(segments, "_PILLOWS_LIMIT", 5000)
    if samples.nbytes % 4:
        with pytest.raises(ImageError) as caught:
            read_image(data)
        assert "damaged" not in str(caught.value)
    else:
        assert_close(np.asarray(read_image(data).rgb), samples / 257, 1)


def test_bits_in_reversed_order():
    numbers = np.random.default_rng(5).integers(0, 2, (16, 24))
    raw = np.frombuffer(packed(numbers, 1), np.uint8)
    turned = np.packbits(np.unpackbits(raw.reshape(-1, 1), axis=1)[:, ::-1]).tobytes()
    data = one_picture(turned, tags_of(16, 24, 1, 1, 1, _266=[2]))
    assert np.array_equal(np.asarray(read_image(data).rgb)[..., 0], numbers * 255)
