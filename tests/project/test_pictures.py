"""Pictures of the README and of the guides: the stored ones are those that `make screenshots` takes, and small."""

import re

import pytest
from PIL import Image

from scripts.documents import animation
from scripts.documents.screenshots import GUIDES, MAX_BYTES, OF_GUIDES, OF_README, README, WIDTH, as_webp
from tests.support.documents import DOCUMENTS


def test_stored_pictures_are_those_that_are_taken_and_shown():
    assert {path.name for path in GUIDES.iterdir()} == set(OF_GUIDES)
    assert {path.name for path in README.iterdir()} == {*OF_README, animation.NAME}
    text = "\n".join(path.read_text("utf-8") for path in DOCUMENTS)
    shown = set(re.findall(r"([\w-]+\.(?:webp|png))[)\"]", text))
    assert {*OF_GUIDES, *OF_README, animation.NAME} <= shown


@pytest.mark.parametrize("name", OF_GUIDES)
def test_a_picture_of_a_guide_is_small(name):
    path = GUIDES / name
    assert path.stat().st_size <= MAX_BYTES
    with Image.open(path) as image:
        assert image.width == WIDTH


def test_the_animation_is_short_and_small():
    path = README / animation.NAME
    assert path.stat().st_size <= animation.MAX_BYTES
    with Image.open(path) as image:
        assert image.width == animation.WIDTH
        assert image.n_frames == len(animation.positions())
        durations = []
        for frame in range(image.n_frames):
            image.seek(frame)
            image.load()
            durations.append(image.info["duration"])
    assert sum(durations) == pytest.approx(1000 * animation.SECONDS, rel=0.05)


def test_a_picture_with_too_much_detail_is_refused():
    noise = Image.effect_noise((1366, 768), 255).convert("RGB")
    with pytest.raises(RuntimeError, match=re.escape(f"{MAX_BYTES:,}")):
        as_webp(_png(noise))


def _png(image):
    from io import BytesIO

    buffer = BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()
