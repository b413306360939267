"""Classes and images of the page "Teach" in a session, without a page."""

import pytest
import streamlit

from tests.support.session_state import SessionState
from tests.support.taught_images import image, images
from vitviz.ui.app import state
from vitviz.ui.pages.teach import collection, fitting
from vitviz.ui.pages.teach.collection import CLASSES, TaughtClass, TaughtImage
from vitviz.ui.pages.teach.image_features import FeatureSetup

DATA = images(0, 5)
SETUP = FeatureSetup("digits", 32, "crop", "token")


@pytest.fixture(autouse=True)
def session(monkeypatch) -> SessionState:
    found = SessionState(picked=state.Picked("digit-3", state.samples()["digit-3"], sample=True))
    monkeypatch.setattr(streamlit, "session_state", found)
    return found


def names() -> dict[str, list[str]]:
    return {one.name: [image.picked.name for image in one.images] for one in CLASSES.get()}


def as_class(number: int, name: str, files: list[bytes], series: str = "") -> TaughtClass:
    members = (TaughtImage(state.Picked(f"{i}.png", data, sample=False), b"", series) for i, data in enumerate(files))
    return TaughtClass(number, name, tuple(members))


def test_classes_are_added_and_removed_within_limits():
    for _ in range(2 * collection.MOST_CLASSES):
        collection.add_class()
    assert len(CLASSES.get()) == len(names()) == collection.MOST_CLASSES, "with different names"
    for number in range(20):
        collection.remove_class(number)
    assert len(CLASSES.get()) == collection.LEAST_CLASSES
    assert not collection.take_problems()


def test_names_are_one_line_of_visible_text_and_differ():
    collection.rename_class(1, "  mug \n & cup\u202e ")
    assert list(names()) == ["mug & cup", "Class 2"]
    for name in ("mug & cup", " \u202e ", "", "<b>x</b>", "[z](u)", ":red[z]"):
        collection.rename_class(2, name)
        (problem,) = collection.take_problems()
        assert problem.endswith(".")
    assert list(names()) == ["mug & cup", "Class 2"]
    collection.rename_class(2, "x" * 1000)
    assert list(names())[1] == "x" * collection.LONGEST_NAME
    collection.rename_class(9, "nobody")
    assert len(names()) == 2


def test_a_name_that_is_taken_is_not_given_to_a_new_class():
    collection.rename_class(1, "Class 3")
    collection.add_class()
    assert len(names()) == 3


def test_a_number_of_a_class_is_never_used_again():
    collection.add_class()
    collection.remove_class(3)
    collection.add_class()
    assert not collection.add_image(3, "late.png", DATA[0])
    assert collection.add_image(4, "in time.png", DATA[0])
    assert [found for found in names().values() if found] == [["in time.png"]]


def test_images_are_added_moved_and_removed():
    for i, data in enumerate(DATA[:3]):
        assert collection.add_image(1, f"{i}.png", data)
    marks = [one.mark for one in CLASSES.get()[0].images]
    collection.move_images(marks[:2], 2)
    assert names() == {"Class 1": ["2.png"], "Class 2": ["0.png", "1.png"]}
    collection.move_images(marks, 9)
    assert names() == {"Class 1": ["2.png"], "Class 2": ["0.png", "1.png"]}, "there is no such class"
    collection.remove_images(marks[1:])
    assert names() == {"Class 1": [], "Class 2": ["0.png"]}


def test_an_image_is_in_one_class_only():
    collection.add_image(1, "a.png", DATA[0])
    assert not collection.add_image(2, "b.png", DATA[0])
    (problem,) = collection.take_problems()
    assert "Class 1" in problem
    assert not collection.take_problems(), "it is said once"


def test_a_sample_takes_no_room_of_the_uploads(monkeypatch):
    monkeypatch.setattr(collection, "MOST_BYTES_OF_ALL", 0)
    assert collection.add_image(1, "digit-3", state.samples()["digit-3"], sample=True)
    assert not collection.add_image(1, "a.png", DATA[0])


def test_the_bytes_of_all_users_are_given_back():
    used = collection._Used()
    picked = state.Picked("a", bytes(1000), sample=False)
    assert used.add(picked)
    assert used.bytes == 1000
    del picked
    assert used.bytes == 0


def test_classes_are_sorted_as_in_the_library_and_empty_ones_left_out():
    given = as_class(1, "b", DATA[:2]), as_class(2, "a", DATA[2:5]), as_class(3, "c", [])
    found = fitting.set_of(SETUP, given)
    assert (found.names, found.counts) == (("a", "b"), (3, 2))
    assert found.labels == ["a"] * 3 + ["b"] * 2
    assert [one.picked.data for one in found.images] == [*DATA[2:5], *DATA[:2]]


def test_the_key_of_results_has_the_images_and_no_names():
    one = fitting.set_of(SETUP, (as_class(1, "a", DATA[:2]), as_class(2, "b", DATA[2:])))
    renamed = fitting.set_of(SETUP, (as_class(1, "c", DATA[:2]), as_class(2, "d", DATA[2:])))
    other = fitting.set_of(SETUP, (as_class(1, "a", DATA[:3]), as_class(2, "b", DATA[3:])))
    assert one.key == renamed.key != other.key


def test_what_can_be_fitted_and_measured():
    for sizes, fitted, measured in (((0, 0), 0, 0), ((3, 0), 0, 0), ((2, 1), 1, 0), ((2, 2), 1, 1)):
        files = [image(3, i) for i in range(sum(sizes))]
        found = fitting.set_of(SETUP, (as_class(1, "a", files[: sizes[0]]), as_class(2, "b", files[sizes[0] :])))
        assert (found.can_be_fitted, found.can_be_measured) == (fitted, measured)
