"""vitviz.images.read_image: HEIC and AVIF of any bit depth, grid or sequence, with rotation and opacity."""

import struct
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from tests.images.test_reading import STORED_AS
from tests.support.image_files import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    assert_close,
    assert_one_sentence,
    corners,
    encoded,
    heic,
    quarters,
)
from vitviz.errors import ImageError
from vitviz.images import formats, read_image

WRITERS = {
    "HEIC": heic,
    "AVIF": lambda image, exif=None: encoded(
        image, "AVIF", quality=95, subsampling="4:4:4", **({} if exif is None else {"exif": exif})
    ),
}
FOUR = [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_picture_is_turned_once_as_its_container_says(kind, orientation):
    turn = STORED_AS[orientation]
    image = quarters() if turn is None else quarters().transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = orientation, "a phone"
    data = WRITERS[kind](image, exif)
    assert (b"irot" in data or b"imir" in data) == (orientation > 1)
    result = read_image(data).rgb
    assert result.size == (48, 32)
    assert_close(corners(result), FOUR, 8)
    assert read_image(result).rgb.tobytes() == result.tobytes()


@pytest.mark.parametrize("kind", WRITERS)
def test_exif_alone_turns_nothing(kind):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation + 1] = 6  # a tag that nobody knows, so that writers do not heed it
    data = WRITERS[kind](quarters(), exif)
    for order in "<>":
        head = order + "HHIH"
        unknown = struct.pack(head, ExifTags.Base.Orientation + 1, 3, 1, 6)
        data = data.replace(unknown, struct.pack(head, ExifTags.Base.Orientation, 3, 1, 6))
    assert struct.pack(">HHIH", 274, 3, 1, 6) in data or struct.pack("<HHIH", 274, 3, 1, 6) in data
    assert_close(corners(read_image(data).rgb), FOUR, 8)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("kind", WRITERS)
def test_transparency_is_laid_on_white(kind, mode):
    image = quarters().convert(mode)
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (0, 0, 24, 32))
    image.putalpha(alpha)
    expected = [RED, WHITE, BLUE, WHITE] if mode == "RGBA" else [(76,) * 3, WHITE, (29,) * 3, WHITE]
    assert_close(corners(read_image(WRITERS[kind](image)).rgb), expected, 8)


@pytest.mark.parametrize("kind", WRITERS)
def test_grey(kind):
    image = read_image(WRITERS[kind](quarters().convert("L")))
    assert_close(corners(image.rgb), [(76,) * 3, (150,) * 3, (29,) * 3, WHITE], 4)


def test_ten_bits():
    numbers = np.asarray(quarters()).astype("<u2") * 257
    image = pillow_heif.from_bytes("RGB;16", (48, 32), numbers.tobytes())
    assert_close(corners(read_image(saved(image)).rgb), FOUR, 8)


def saved(heif, **options):
    file = BytesIO()
    heif.save(file, quality=95, chroma=444, **options)
    return file.getvalue()


def test_a_grid_of_tiles_is_one_picture():
    data = heic(quarters(400, 300), tile_size=128)
    assert b"grid" in data
    image = read_image(data)
    assert image.rgb.size == (400, 300)
    assert_close(corners(image.rgb), FOUR, 8)
    assert image.notes == ()


def test_of_several_images_the_main_one_is_used_and_a_note_says_so():
    several = pillow_heif.from_pillow(Image.new("RGB", (64, 64)))
    several.add_from_pillow(quarters())
    image = read_image(saved(several, primary_index=1))
    assert_close(corners(image.rgb), FOUR, 8)
    assert len(image.notes) == 1
    assert_one_sentence(image.notes[0])


def test_of_a_sequence_the_first_picture_is_used_and_a_note_says_so():
    black = Image.new("RGB", (48, 32))
    data = encoded(quarters(), "AVIF", save_all=True, append_images=[black], quality=95, subsampling="4:4:4")
    image = read_image(data)
    assert_close(corners(image.rgb), FOUR, 8)
    assert len(image.notes) == 1


@pytest.mark.parametrize("kind", WRITERS)
def test_the_brands_of_the_container_choose_the_decoder(kind):
    data = WRITERS[kind](quarters())
    assert data[8:12] in (b"heic", b"heix", b"avif")
    general = data[:8] + b"mif1" + data[12:]  # what is in it stands among the further brands
    at = general.index(b"mif1", 12)
    general = general[:at] + data[8:12] + general[at + 4 :]
    assert read_image(general).rgb.tobytes() == read_image(data).rgb.tobytes()


def test_without_its_decoder_a_sentence_says_what_to_install_or_save(monkeypatch):
    monkeypatch.setattr(formats.heic, "pillow_heif", None)
    with pytest.raises(ImageError) as caught:
        read_image(heic(quarters()))
    assert_one_sentence(str(caught.value))
    assert "pillow-heif" in str(caught.value)
    monkeypatch.setattr(formats.avif.features, "check", lambda feature: False)
    with pytest.raises(ImageError) as caught:
        read_image(WRITERS["AVIF"](quarters()))
    assert "damaged" not in str(caught.value)
