"""`vitviz attention --interactive`: the explorer of each image in a file."""

import json
import re

import pytest

import vitviz
from tests.support.command_line import CAT, EIGHT, FOUR, objects, only_line
from vitviz.analysis.default_view import default_view
from vitviz.notation.marks import format_token

pytestmark = pytest.mark.slow
DIGITS = ("-m", "digits", "--interactive")


def state_of(page):
    (text,) = re.findall(r'id="state">(.*)</script>', page)
    return text


def test_one_image_becomes_the_file_that_is_asked_for(vit, tmp_path, model):
    file = tmp_path / "cat.html"
    result = vit("attention", CAT, "--interactive", "-o", str(file), "--json")
    assert result.exit_code == 0, result.stderr
    (said,) = objects(result)
    assert said["files"] == [str(file)]
    view = default_view(model.trace(CAT))
    assert (said["layer"], said["head"]) == (view.layer + 1, view.head + 1)
    assert said["token"] == format_token(view.query, model.trace(CAT))
    page = file.read_text("utf-8")
    assert f'"layer": {view.layer}, "head": {view.head}, "query": {view.query}' in state_of(page)
    assert len(page) <= 5_500_000


def test_the_view_and_the_layers_are_those_typed(vit, tmp_path):
    file = tmp_path / "four.html"
    options = ("--layer", "3", "--head", "2", "--query", "4-5", "--to", "--scale", "raw", "--layers", "5,1")
    assert vit("attention", FOUR, *DIGITS, *options, "-o", str(file)).exit_code == 0
    state = state_of(file.read_text("utf-8"))
    assert '"layer": 2, "head": 1, "query": 29, "direction": "to", "scale": "raw"' in state
    assert '"kept": [0, 2, 4]' in state


def test_a_file_with_linked_views_has_the_tokens_and_opens_with_them(vit, tmp_path):
    files = tmp_path / "plain.html", tmp_path / "linked.html"
    for file, option in zip(files, ((), ("--linked",)), strict=True):
        assert vit("attention", FOUR, *DIGITS, *option, "-o", str(file)).exit_code == 0
    plain, linked = (file.read_text("utf-8") for file in files)
    before, after = (json.loads(state_of(page)) for page in (plain, linked))
    assert (before["style"]["linked"], after["style"]["linked"]) == (False, True)
    assert (before["token_source"] is None, after["token_source"] is None) == (True, False)
    assert len(after["parts"]) == len(before["parts"]) + 6  # layers


def test_the_layers_typed_are_those_of_the_file(vit, tmp_path):
    opened = default_view(vitviz.load("digits").trace(FOUR)).layer
    others = [layer for layer in range(6) if layer != opened][:2]
    file = tmp_path / "four.html"
    result = vit("attention", FOUR, *DIGITS, "--layers", ",".join(str(layer + 1) for layer in others), "-o", str(file))
    assert result.exit_code == 0, result.stderr
    state = json.loads(state_of(file.read_text("utf-8")))
    assert state["kept"] == others
    assert state["view"]["layer"] in others


def test_several_images_become_files_of_a_folder(vit, written):
    assert vit("attention", FOUR, EIGHT, *DIGITS).exit_code == 0
    assert list(written()) == ["digit-4-digits-explorer.html", "digit-8-digits-explorer.html"]


def test_a_file_is_replaced_by_the_explorer_of_its_image_only(vit, tmp_path):
    file = tmp_path / "four.html"
    for _ in range(2):
        assert vit("attention", FOUR, *DIGITS, "-o", str(file)).exit_code == 0
    before = file.read_bytes()
    assert vit("attention", EIGHT, *DIGITS, "-o", str(file)).exit_code == 2
    assert file.read_bytes() == before
    file.write_text("<p>mine</p>")
    assert vit("attention", FOUR, *DIGITS, "-o", str(file)).exit_code == 2
    assert file.read_text() == "<p>mine</p>"


@pytest.mark.parametrize(
    "options",
    [
        (FOUR, EIGHT, *DIGITS, "-o", "it.html"),
        (FOUR, *DIGITS, "--format", "png"),
        (FOUR, *DIGITS, "--width", "500"),
        (FOUR, *DIGITS, "--skip-existing"),
        (FOUR, *DIGITS, "--layers", "7"),
        (FOUR, *DIGITS, "--layers", ""),
        (FOUR, "-m", "digits", "--layers", "2"),
        (FOUR, "-m", "digits", "--linked"),
    ],
)
def test_what_does_not_go_together_is_refused(vit, options):
    only_line(vit("attention", *options))
