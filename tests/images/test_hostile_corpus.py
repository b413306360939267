"""vitviz.images.read_image: further bombs, files of ten thousand frames, files cut at every tenth, polyglots."""

import io
import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from tests.support.facts import mentions
from tests.support.hostile.images import (
    AFTER,
    MANY_FRAMES,
    POLYGLOT_KINDS,
    SMALL_FILES,
    TOO_LARGE,
    avif_with_many_lists,
    png_with_too_many_pixels,
)
from tests.support.hostile.limits import cpu_limit, handled
from tests.support.image_files import assert_close, assert_one_sentence, corners, quarters
from vitviz.errors import ImageError
from vitviz.images import read_image

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def no_decoder(monkeypatch):
    """Fail if pixels are decoded."""

    def load(self):
        raise AssertionError("it was decoded")

    for kind in (ImageFile.ImageFile, *ImageFile.ImageFile.__subclasses__()):
        monkeypatch.setattr(kind, "load", load)


@pytest.mark.parametrize("opened", [False, True], ids=["bytes", "PIL"])
@pytest.mark.parametrize("kind", TOO_LARGE)
def test_a_size_above_the_limit_is_refused_before_decoding(kind, opened, no_decoder):
    source = TOO_LARGE[kind]
    if opened:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                source = Image.open(io.BytesIO(source))
            except Image.DecompressionBombError:  # of the caller
                return
    with pytest.raises(ImageError, match=mentions("64 megapixels")) as caught:
        read_image(source)
    assert_one_sentence(str(caught.value))


def test_a_png_that_unpacks_to_more_than_its_image_costs_no_more():
    data = png_with_too_many_pixels()
    tracemalloc.start()
    with cpu_limit():
        image = handled(lambda: read_image(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert image is None or image.rgb.size == (64, 64)
    assert peak < 3_000_000 + 3 * len(data)


def test_very_many_lists_of_items_are_searched_once():
    data = avif_with_many_lists()
    with cpu_limit():
        assert_close(corners(read_image(data).rgb), corners(quarters()), 40)


@pytest.mark.parametrize("kind", MANY_FRAMES)
def test_ten_thousand_frames_cost_what_one_costs(kind):
    data = MANY_FRAMES[kind](10_000)
    tracemalloc.start()
    with cpu_limit():
        image = read_image(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert_close(corners(image.rgb), corners(quarters()), 0)
    assert len(image.notes) == 1
    assert peak < 3_000_000 + 3 * len(data)


@pytest.mark.parametrize("kind", SMALL_FILES)
def test_a_file_cut_at_every_tenth_is_handled(kind):
    data = SMALL_FILES[kind]
    whole = np.asarray(read_image(data).rgb)
    for tenth in range(10):
        image = handled(lambda tenth=tenth: read_image(data[: len(data) * tenth // 10]))
        # Only what is not part of the first image can be missing.
        assert image is None or np.array_equal(np.asarray(image.rgb), whole)


@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("kind", POLYGLOT_KINDS)
def test_what_follows_an_image_in_its_file_is_left_alone(kind, after):
    data = SMALL_FILES[kind]
    image = handled(lambda: read_image(data + AFTER[after]))
    assert image is not None
    assert np.array_equal(np.asarray(image.rgb), np.asarray(read_image(data).rgb))


@pytest.mark.parametrize("before", [text for text in AFTER if text != "another image"])
@pytest.mark.parametrize("kind", POLYGLOT_KINDS)
def test_an_image_that_is_not_at_the_start_of_its_file_is_none(kind, before):
    with pytest.raises(ImageError) as caught:
        read_image(AFTER[before] + SMALL_FILES[kind])
    assert_one_sentence(str(caught.value))
