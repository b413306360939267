"""HTML reports: small pages that are written image by image and survive interruptions."""

import base64
import hashlib
import io
import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from tests.support.command_line import CAT, COMMANDS, EIGHT, FOUR, objects, only_line, report
from vitviz.cli.report import MAX_BYTES, thumbnail

pytestmark = pytest.mark.slow


def cards(said: str) -> list[str]:
    return re.findall(r'^<li id=".*</li>$', said, re.MULTILINE)


def values(card: str) -> dict:
    return json.loads(unescape(re.search('data-values="([^"]*)"', card)[1]))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_report_holds_small_pictures_and_asks_nobody(command, vit, written, tmp_path):
    hostile = tmp_path / "<b>a&b.png"
    hostile.write_bytes(Path(FOUR).read_bytes())
    said = report(vit, written, command, FOUR, str(hostile), "-m", "digits")
    name = f"vitviz-{command}-digits"
    assert list(written()) == [f"{name}.html"]
    assert len(cards(said)) == said.count('<img loading="lazy"') == said.count("<img") == 2
    links = re.findall(r'(?:src|href)="([^"]*)"', said)
    assert {link.partition(":")[0] for link in links if ":" in link} == {"data"}
    assert "http" not in re.sub(r'http-equiv|"data:[^"]*"', "", said)
    files = [tmp_path / "out" / unquote(link) for link in links if ":" not in link]
    assert sorted(files) == sorted((tmp_path / "out" / f"{name}_files").iterdir()), "the full pictures"
    assert {Image.open(file).format for file in files} == {"JPEG"}
    assert "&lt;b&gt;a&amp;b.png" in said
    assert "<b>" not in said
    assert said.endswith("</body></html>\n")


def test_the_only_script_is_the_one_that_the_page_allows(vit, written):
    said = report(vit, written, "tokens", FOUR, "-m", "digits")
    (script,) = re.findall("<script>(.*?)</script>", said, re.DOTALL)
    wanted = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{wanted}'" in said


def test_what_an_image_can_be_sorted_by(vit, written):
    for command, extra in (
        ("attention", {"Strongest weight (%)"}),
        ("tokens", {"Explained variance (%)"}),
        ("explain", {"Value of the target", "Strongest value"}),
    ):
        (card,) = cards(report(vit, written, command, FOUR, "-m", "digits"))
        found = values(card)
        assert found.keys() == {"Prediction", "Confidence (%)", *extra}
        assert found["Prediction"] == "4"
        assert 50 < found["Confidence (%)"] <= 100
        assert all(f"<dt>{name}</dt>" in card for name in found)
    (card,) = cards(report(vit, written, "attention", CAT))
    assert values(card).keys() == {"Strongest weight (%)"}, "no classes"


def test_pictures_that_are_asked_for_are_those_of_the_report(vit, written, tmp_path):
    vit("attention", FOUR, "-m", "digits", "--format", "npz", "--format", "webp", "--format", "html")
    assert [Path(name).suffix for name in written()] == [".npz", ".webp", ".html"]
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert 'href="digit-4-L6-mean-cls-digits.webp"' in written()["vitviz-attention-digits.html"].decode()


@pytest.mark.parametrize("noise", [0, 255])
def test_a_small_picture_is_small(noise):
    pixels = np.random.default_rng(0).integers(0, noise + 1, (700, 900, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    data = thumbnail(image)
    assert len(data) <= MAX_BYTES
    with Image.open(io.BytesIO(data)) as small:
        assert small.size == image.size
        assert max(small.size) <= 320


def test_a_report_alone_may_have_its_own_name(vit, tmp_path):
    place = tmp_path / "new" / "mine.html"
    result = vit("attention", FOUR, "-m", "digits", "--format", "html", "-o", str(place))
    assert result.stdout == f"{place}\n"
    assert sorted(place.parent.iterdir()) == [place, place.with_name("mine_files")]
    place.unlink()
    assert vit("tokens", FOUR, "-m", "digits", "-o", str(place)).stdout == f"{place}\n", "its name says the format"
    assert sorted(place.parent.iterdir()) == [place, place.with_name("mine_files")]


def test_a_report_is_no_folder_and_a_folder_no_report(vit, tmp_path):
    for formats in (["png"], ["npz"], ["png", "html"]):
        asked = [part for one in formats for part in ("--format", one)]
        said = only_line(vit("tokens", FOUR, "-m", "digits", *asked, "-o", str(tmp_path / "x.html")))
        assert "x.html'" in said
        assert list(tmp_path.iterdir()) == []
    folder = tmp_path / "d.html"
    folder.mkdir()
    said = only_line(vit("tokens", FOUR, "-m", "digits", "--format", "html", "-o", str(folder)))
    assert said.startswith(f"{folder}: Is a folder")
    assert vit("tokens", FOUR, "-m", "digits", "-o", str(folder)).exit_code == 0
    assert [path.suffix for path in folder.iterdir()] == [".png"], "no half report is left"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_was_reached_before_an_interruption_stays(vit, tmp_path, stopped_after, form):
    place = tmp_path / "new" / "mine.html"
    stopped_after(2)
    result = vit("attention", FOUR, EIGHT, CAT, "-m", "digits", "-o", str(place), *form)
    assert result.exit_code == 130
    (line,) = result.stderr.splitlines()
    assert line.startswith("vitviz: Interrupted after 2 of 3 images")
    said = place.read_text()
    assert len(cards(said)) == 2
    assert said.endswith("Interrupted: 2 of 3 images.</footer></body></html>\n")
    if form:
        assert [one.get("ok") for one in objects(result)] == [True, True, None]
        assert f"vitviz: {objects(result)[-1]['error']}" == line
    else:
        assert result.stdout == f"{place}\n"
    assert sorted(path.suffix for path in place.parent.rglob("*") if path.is_file()) == [".html", ".jpg", ".jpg"]


def test_nothing_is_left_of_a_report_without_images(vit, tmp_path, stopped_after):
    stopped_after(0)
    assert vit("attention", FOUR, "-m", "digits", "--format", "html").exit_code == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_an_earlier_report_stays_until_there_is_something_new(vit, tmp_path, stopped_after):
    place = tmp_path / "mine.html"
    asked = ["attention", FOUR, EIGHT, "-m", "digits", "-o", str(place)]
    assert vit(*asked).exit_code == 0
    before = place.read_text()
    stopped_after(0)
    assert vit(*asked).exit_code == 130
    assert place.read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.html", "mine_files"]


def test_an_image_that_has_become_unreadable_stands_in_the_report_once(vit, tmp_path, stopped_after):
    photos = [tmp_path / f"{name}.png" for name in "abc"]
    for photo in photos:
        photo.write_bytes(Path(FOUR).read_bytes())
    place = tmp_path / "mine.html"
    asked = ["attention", *map(str, photos), "-m", "digits", "-o", str(place), "--skip-existing"]
    assert vit(*asked).exit_code == 0
    photos[0].write_bytes(b"nothing")
    for picture in (tmp_path / "mine_files").glob("[ab]*"):
        picture.unlink()
    stopped_after(0)
    assert vit(*asked).exit_code == 130
    names = re.findall(r'^<li id="([^"]*)"', place.read_text(), re.MULTILINE)
    assert len(names) == len(set(names)) == 3


def test_a_report_goes_on_where_it_was_stopped(vit, tmp_path, monkeypatch, stopped_after):
    place = tmp_path / "mine.html"
    asked = ["tokens", FOUR, EIGHT, CAT, "-m", "digits", "-o", str(place), "--skip-existing"]
    with monkeypatch.context():
        stopped_after(2)
        vit(*asked)
        first = cards(place.read_text())
    monkeypatch.undo()
    stopped_after(1)
    result = vit(*asked, "--json")
    assert result.exit_code == 0, "one forward pass is enough"
    assert [one.get("skipped", False) for one in objects(result)] == [True, True, False]
    assert cards(place.read_text())[:2] == first
    assert len(cards(place.read_text())) == 3
    monkeypatch.undo()
    stopped_after(0)
    assert vit(asked[0], CAT, EIGHT, FOUR, *asked[4:]).exit_code == 0, "nothing is left to do, in another order"
    stopped_after(0)
    picture = next((tmp_path / "mine_files").glob("digit-4*"))
    picture.unlink()
    assert vit(*asked).exit_code == 130, "its picture is not there"
    assert len(cards(place.read_text())) == 3, "an interruption loses nothing"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.html", "mine_files"]


def test_a_report_is_written_as_it_goes(tmp_path, model):
    """Each image is on disk before the next one is processed, also if the process is killed."""
    from vitviz.cli.attention import Attention
    from vitviz.cli.report import Report
    from vitviz.cli.result import trace_image

    found = Attention(None, "mean", None, "from", "relative").run(trace_image(model, Path(CAT), None, None))
    with Report(tmp_path / "a.html", "a", "b", 3) as growing:
        sizes = [(tmp_path / "a.html").stat().st_size]
        for number in range(3):
            growing.add("cat", f"cat-{number}", found, tmp_path / "cat.jpg")
            sizes.append((tmp_path / "a.html").stat().st_size)
        steps = np.diff(sizes)
        assert (steps > 2_000).all()
        assert (steps < 4 / 3 * MAX_BYTES + 5_000).all()
