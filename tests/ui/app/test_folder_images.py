"""Images that the server offers to all users: in the gallery, in links, and never more than those of its folder."""

import os

import pytest

from tests.support.app_pages import choice_of, explore, query, start, texts
from vitviz.errors import ImageError
from vitviz.ui.app import folder_images, state

HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:1) `b` $c$.jpg"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of images for all users, beside a file that must not be read."""
    samples = state.samples()
    (tmp_path / "secret.jpg").write_bytes(samples["cat"])
    inside = tmp_path / "images"
    inside.mkdir()
    for name, sample in (("dog 10.jpg", "rocket"), ("dog 2.jpg", "cat")):
        (inside / name).write_bytes(samples[sample])
    monkeypatch.setenv("VITVIZ_IMAGES", str(inside))
    return inside


def test_without_a_folder_there_are_the_samples_alone(monkeypatch):
    monkeypatch.delenv("VITVIZ_IMAGES", raising=False)
    assert folder_images.names() == []
    assert folder_images.thumbnails() == {}


def test_images_are_in_natural_order_and_have_thumbnails(folder):
    assert folder_images.names() == ["dog 2.jpg", "dog 10.jpg"]
    drawn = folder_images.thumbnails()
    assert list(drawn) == ["file-dog 2.jpg", "file-dog 10.jpg"]
    assert all(data.startswith(b"\xff\xd8") for data in drawn.values())


def test_no_more_are_offered_than_a_page_can_show(folder):
    data = state.samples()["digit-0"]
    for number in range(100, 100 + 2 * folder_images.MOST_IMAGES):
        (folder / f"x{number}.jpg").write_bytes(data)
    assert len(folder_images.names()) == folder_images.MOST_IMAGES
    with pytest.raises(ImageError):
        folder_images.image(f"x{99 + 2 * folder_images.MOST_IMAGES}.jpg")


def test_a_file_is_read_when_it_is_drawn_or_chosen_and_its_content_is_shared(folder, monkeypatch):
    read, original = [], folder_images.read_file
    monkeypatch.setattr(folder_images, "read_file", lambda *place: read.append(place[1]) or original(*place))
    folder_images.names()
    assert read == []
    one, other = folder_images.image("dog 2.jpg"), folder_images.image("dog 2.jpg")
    assert one is other
    assert read == ["dog 2.jpg"]


def test_a_file_that_is_no_image_is_left_out_of_the_gallery(folder):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    assert "broken.jpg" in folder_images.names()
    assert list(folder_images.thumbnails()) == ["file-dog 2.jpg", "file-dog 10.jpg"]
    app = explore(image="file-broken.jpg")
    assert not app.exception
    assert len(app.warning) == 1
    assert choice_of(app).picked.sample


def test_a_file_that_has_changed_is_drawn_and_read_again(folder):
    before = folder_images.image("dog 2.jpg"), folder_images.thumbnails()["file-dog 2.jpg"]
    (folder / "dog 2.jpg").write_bytes(state.samples()["rocket"])
    os.utime(folder / "dog 2.jpg", ns=(1, 1))
    assert folder_images.image("dog 2.jpg").digest != before[0].digest
    assert folder_images.thumbnails()["file-dog 2.jpg"] != before[1]


def test_a_link_opens_the_image_and_keeps_its_name(folder):
    app = explore(image="file-dog 10.jpg")
    assert not app.exception
    assert not app.warning
    picked = choice_of(app).picked
    assert (picked.name, picked.data) == ("dog 10.jpg", state.samples()["rocket"])
    assert query(app)["image"] == "file-dog 10.jpg"
    assert "dog 10.jpg, an image of this server" in texts(app)
    assert "is kept in this browser" not in texts(app), "it is not the user's"
    app.switch_page("pages/tokens.py").run()
    assert not app.exception
    assert query(app)["image"] == "file-dog 10.jpg"


@pytest.mark.parametrize(
    "image",
    [
        *("file-", "file-../secret.jpg", "file-gone.jpg", "file-/etc/passwd", "file-secret.jpg", "file-dog 2.jpg/"),
        *("file-" + "a" * 9999, "file-dog 2.jpg\n", "file-%2e%2e%2fsecret.jpg", "file-..\\secret.jpg"),
    ],
)
def test_a_link_to_no_image_is_said(image, folder):
    (folder / "link.jpg").symlink_to("../secret.jpg")
    found, problem = folder_images.named(image)
    assert found is None
    assert problem
    assert folder_images.named("file-link.jpg")[0] is None


def test_a_link_to_a_path_shows_a_sample(folder):
    app = explore(image="file-../secret.jpg")
    assert not app.exception
    assert len(app.warning) == 1
    assert choice_of(app).picked.sample
    assert str(folder) not in texts(app)


def test_a_hostile_name_is_text_and_nothing_else(folder):
    (folder / HOSTILE).write_bytes(state.samples()["cat"])
    app = explore(image=f"file-{HOSTILE}")
    assert not app.exception
    assert choice_of(app).picked.name == HOSTILE
    (caption,) = [one.value for one in app.caption if "an image of this server" in one.value]
    for mark in ("<", "[", "`", "$"):
        assert f"\\{mark}" in caption
    assert query(app)["image"] == f"file-{HOSTILE}"


def test_the_first_page_offers_them(folder):
    app = start()
    assert not app.exception
    assert choice_of(app).picked.sample


@pytest.mark.parametrize(("name", "opened"), [("digits", "digits"), ("", "dinov2-small"), ("nonsense", "dinov2-small")])
def test_sessions_open_with_the_model_of_the_server(name, opened, monkeypatch):
    monkeypatch.setenv("VITVIZ_MODEL", name)
    app = explore()
    assert not app.exception
    assert choice_of(app).model == opened
    assert choice_of(app).picked.name in state.samples_for(opened)
    assert choice_of(explore(model="dinov2-small" if opened == "digits" else "digits")).model != opened
