"""Names of the images in a folder that a server offers: none leads outside of it, and none is more than a name."""

import os

import pytest

from vitviz.errors import ImageError
from vitviz.images.folder import LONGEST_NAME, MOST_BYTES, image_names, read_file


@pytest.fixture
def folder(tmp_path):
    """A folder with one image, beside a file that must not be read."""
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    inside = tmp_path / "images"
    inside.mkdir()
    (inside / "cat.jpg").write_bytes(b"cat")
    return inside


def test_images_are_listed_and_other_files_are_not(folder):
    for name in ("B.PNG", "notes.txt", ".hidden.jpg", "jpg"):
        (folder / name).write_bytes(b"x")
    (folder / "inner.jpg").mkdir()
    (folder / "inner.jpg" / "deep.jpg").write_bytes(b"x")
    assert sorted(image_names(folder)) == ["B.PNG", "cat.jpg"]
    assert read_file(folder, "cat.jpg") == b"cat"


def test_names_that_no_page_can_show_are_left_out(folder):
    for name in ("a\nb.jpg", "a\x1b[31m.jpg", "\u202egpj.jpg", "x" * LONGEST_NAME + ".jpg", os.fsdecode(b"\xff.jpg")):
        try:
            (folder / name).write_bytes(b"x")
        except OSError:  # not every file system has such names
            continue
        with pytest.raises(ImageError):
            read_file(folder, name)
    assert image_names(folder) == ["cat.jpg"]


def test_links_lead_nowhere_but_into_the_folder(folder):
    (folder / "inside.jpg").symlink_to("cat.jpg")
    (folder / "outside.jpg").symlink_to("../secret.jpg")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder / "gone.jpg").symlink_to("nothing.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    assert sorted(image_names(folder)) == ["cat.jpg", "inside.jpg"]
    for name in ("outside.jpg", "circle.jpg", "gone.jpg", "device.jpg"):
        with pytest.raises(ImageError):
            read_file(folder, name)


def test_a_folder_may_itself_be_a_link(folder):
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert image_names(link) == ["cat.jpg"]


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "./cat.jpg", "/etc/passwd", "images/cat.jpg", "..", ".", "", "cat.jpg/", "cat.jpg\0"]
)
def test_a_path_is_no_name(folder, name):
    with pytest.raises(ImageError) as caught:
        read_file(folder, name)
    assert str(folder) not in str(caught.value)


def test_what_is_no_file_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.jpg")
    assert image_names(folder) == ["cat.jpg"]


def test_large_files_are_left_out_also_if_they_have_grown(folder, monkeypatch):
    with open(folder / "large.jpg", "wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert image_names(folder) == ["cat.jpg"]
    monkeypatch.setattr("vitviz.images.folder._is_offered", lambda *_: True)
    with pytest.raises(ImageError):
        read_file(folder, "large.jpg")


def test_a_folder_that_is_none_is_said(folder):
    for path in (folder / "cat.jpg", folder / "gone", folder / ("x" * 5000)):
        with pytest.raises(ImageError):
            image_names(path)
