"""Output files: formats, widths, skipping, counting from 1, one forward pass per image; and the progress bar."""

import io
import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

import vitviz
from tests.support.checkpoints import saved
from tests.support.command_line import CAT, COMMANDS, EIGHT, FOUR, PROCESS, ROCKET, objects, only_line
from tests.support.random_models import POOLED, trace_of
from vitviz.cli.console import Console, duration
from vitviz.cli.inputs import Item
from vitviz.trace.vision_transformer import VisionTransformer
from vitviz.viz.colour import KEY

pytestmark = pytest.mark.slow
ONE_PASS = [
    ["attention"],
    ["tokens"],
    *(["explain", "--method", name] for name in ("attention", "rollout", "gradient_attention", "legrad")),
]


@pytest.fixture
def passes(monkeypatch):
    """Count how often a whole model ran."""
    forward, seen = VisionTransformer.forward, []

    def counted(model, pixels):
        seen.append(len(pixels))
        return forward(model, pixels)

    monkeypatch.setattr(VisionTransformer, "forward", counted)
    return seen


@pytest.mark.parametrize("command", ONE_PASS)
def test_one_forward_pass_an_image(command, vit, passes):
    formats = [part for kind in ("png", "npz", "html") for part in ("--format", kind)]
    assert vit(*command, FOUR, EIGHT, "-m", "digits", *formats, "--json").exit_code == 0
    assert passes == [1, 1]


def test_the_strongest_patch_of_an_explanation_is_framed(vit):
    said = objects(vit("explain", FOUR, "-m", "digits", "--json"))[0]
    row, column = (number - 1 for number in said["strongest"]["patch"])
    with Image.open(said["files"][0]) as image:
        side = image.width // 8
        line = image.convert("RGB").crop((column * side, row * side + 1, (column + 1) * side - 1, row * side + 2))
    assert line.getcolors() == [(side - 1, ImageColor.getrgb(KEY))]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_there_is_skipped(command, vit, written, passes):
    asked = [command, FOUR, EIGHT, "-m", "digits", "--skip-existing"]
    assert vit(*asked).exit_code == 0
    first, name = written(), next(iter(written()))
    assert (len(first), len(passes)) == (2, 2)
    result = vit(*asked)
    assert (result.exit_code, result.stdout, written(), len(passes)) == (0, "", first, 2)
    Path(objects(vit(*asked, "--json"))[0]["files"][0]).unlink()
    result = vit(*asked)
    assert Path(result.stdout.strip()).name == name
    assert len(passes) == 3, "only the one that is missing"
    result = vit(*asked, "--format", "png", "--format", "npz")
    assert {Path(line).suffix for line in result.stdout.splitlines()} == {".npz"}, "the pictures were there"
    said = objects(vit(*asked, "--json"))
    assert [(one["ok"], one["skipped"]) for one in said] == [(True, True)] * 2
    assert vit(*asked[:-1]).exit_code == 0
    assert len(passes) == 7, "all again where nothing is to be skipped"


@pytest.mark.parametrize("changed", ["photo.png", "run.safetensors", "run.toml", "labels.txt", "names.txt"])
@pytest.mark.parametrize("named", ["in the call", "in the TOML file"])
def test_what_is_older_than_its_image_or_model_is_not_skipped(changed, named, vit, tmp_path, original, passes):
    (tmp_path / "photo.png").write_bytes(Path(FOUR).read_bytes())
    saved(tmp_path / "run.safetensors", original.state_dict())
    (tmp_path / "run.toml").write_text("num_heads = 3\n")
    for name in ("labels.txt", "names.txt"):
        (tmp_path / name).write_text("\n".join("abcde"))
    model = ["-m", str(tmp_path / "run.safetensors")]
    if named == "in the call":
        model += ["--classes", str(tmp_path / "names.txt")]
    else:
        (tmp_path / "run.toml").write_text('num_heads = 3\nclasses = "names.txt"\n')
    asked = ["attention", str(tmp_path / "photo.png"), *model, "--skip-existing"]
    for _ in range(2):
        assert vit(*asked).exit_code == 0
    assert len(passes) == 1
    later = time.time() + 10
    os.utime(tmp_path / changed, (later, later))
    assert vit(*asked).exit_code == 0
    assert len(passes) == 2


def test_a_file_is_there_only_when_it_is_whole(vit, tmp_path, monkeypatch):
    write = Path.write_bytes

    def stopped(path, data):
        write(path, data[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stopped)
    assert vit("attention", FOUR, "-m", "digits").exit_code == 130
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("kind", "ending"), [("jpeg", "jpg"), ("webp", "webp"), ("png", "png")])
@pytest.mark.parametrize("width", [200, 1000])
def test_pictures_are_as_wide_as_they_should_be(command, kind, ending, width, vit, written):
    result = vit(command, FOUR, "-m", "digits", "--format", kind, "--width", str(width))
    assert result.exit_code == 0, result.stderr
    ((name, data),) = written().items()
    assert name.endswith(f"-w{width}.{ending}")
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format.lower(), image.width) == (kind, width)
        assert image.height > width, "a square, and its caption"


def test_the_width_is_that_of_the_picture_whatever_its_shape(vit, written):
    for size in ("56x28", "28x56"):
        vit("attention", CAT, "-m", "dinov2-small", "--size", size, "--fit", "squash", "--width", "500")
    assert {Image.open(io.BytesIO(data)).width for data in written().values()} == {500}
    said = only_line(vit("attention", CAT, "-m", "dinov2-small", "--size", "140x14", "--width", "4096"))
    assert "smaller --width" in said


@pytest.mark.parametrize("width", ["0", "-5", "199", "4097", "abc", "1e3", "३००", "9" * 5000])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_width_is_one_plain_line(command, width, vit):
    assert "200 to 4096" in only_line(vit(command, FOUR, "--width", width))


def test_a_width_of_numbers_alone_is_refused(vit):
    assert "--width" in only_line(vit("attention", FOUR, "--width", "300", "--format", "npz"))


def test_everything_counts_from_1(vit, written, trace):
    """File name, JSON, both metadata and caption."""
    weights = trace.attention(0, 0, 1 + 2 * 16 + 4)
    row, column = divmod(int(weights[1:].argmax()), 16)
    asked = ["--layer", "1", "--head", "1", "--query", "3-5", "--format", "png", "--format", "npz", "--json"]
    (said,) = objects(vit("attention", CAT, *asked))
    png, npz = (written()[f"cat-L1-H1-3-5.{kind}"] for kind in ("png", "npz"))
    image = Image.open(io.BytesIO(png))
    assert image.text["Description"].startswith("Layer 1, head 1, patch (3, 5): ")
    assert f"Strongest patch: ({row + 1}, {column + 1})" in image.text["Description"]
    about = {"layer": 1, "head": 1, "token": "3-5", "counted_from": 1}
    for one in (said, json.loads(image.text["vitviz"]), json.loads(str(np.load(io.BytesIO(npz))["metadata"]))):
        assert about.items() <= one.items()
    assert said["strongest"]["patch"] == [row + 1, column + 1]
    (said,) = objects(vit("tokens", FOUR, "-m", "digits", "--layer", "2", "--json"))
    assert (said["layer"], said["counted_from"]) == (2, 1)


@pytest.mark.parametrize("kind", POOLED)
@pytest.mark.parametrize(
    "typed", [("pool", "2", None), (None, "mean", None), ("2", "1", "2-3"), ("2", "1", "2..3-3..5,4-6")]
)
def test_the_app_and_the_command_line_name_alike(kind, typed):
    from vitviz.cli.attention import Attention
    from vitviz.cli.parse import parse_head, parse_layer, parse_query
    from vitviz.notation.view import View
    from vitviz.viz import export

    layer, head, query = typed
    found = trace_of(kind)
    at = parse_layer(layer, found.config)
    query_or_home = query or (None if found.config.class_token or layer == "pool" else "3-4")
    view = View(at, parse_head(head, at, found.config), parse_query(query_or_home, found))
    about = export.metadata(found, view, "cat.jpg", "x", "crop")
    asked = Attention(layer, head, query_or_home, "from", "relative")
    assert asked.stem("cat", found.config) == export.file_stem(view, about)


def test_predictions_are_said_where_there_are_classes(vit):
    for command in COMMANDS:
        (said,) = objects(vit(command, FOUR, "-m", "digits", "--json"))
        assert said["prediction"] == "4"
        assert 0.5 < said["confidence"] <= 1
    assert "prediction" not in objects(vit("attention", ROCKET, "--json"))[0]


# --- Progress --------------------------------------------------------------------------------------------------------


def items(*names: str) -> list[Item]:
    return [Item(Path(name)) for name in names]


def test_on_a_terminal_a_bar_moves_and_lines_wait_for_it(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    seen = []

    def answer(item):
        console.problem(item.path, "is damaged.")
        seen.append(capsys.readouterr())
        return False

    with Console(False, 3, {}) as console:
        assert list(console.track(items("a.png", "b.png", "c.png"), answer)) == [False] * 3
    assert not any("damaged" in said for one in seen for said in one)
    bars = [one.err for one in seen]
    assert all("vitviz" in bar for bar in bars)
    assert not any(one.out for one in seen), "the bar is on standard error"
    assert re.search(r"1/3.* images/s, .* left, b\.png", bars[1])
    assert capsys.readouterr().err.endswith("".join(f"vitviz: {name}.png: is damaged.\n" for name in "abc"))


def test_machines_get_json_while_somebody_watches(tmp_path):
    """On a real terminal, with standard output in a file."""
    watched, terminal = pty.openpty()
    command = [*PROCESS, "attention", FOUR, EIGHT, "-m", "digits", "--json", "-o", str(tmp_path)]
    root = Path(vitviz.__file__).parents[1]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=terminal, text=True, check=True)
    os.close(terminal)
    assert [json.loads(line)["image"] for line in done.stdout.splitlines()] == [FOUR, EIGHT]
    bar = os.read(watched, 100_000).decode()
    os.close(watched)
    assert "images/s" in bar
    assert "2/2" in bar


def test_durations_are_read_at_a_glance():
    assert [duration(s) for s in (0.2, 8, 59.6, 312, 7500)] == ["0 s", "8 s", "1 min 0 s", "5 min 12 s", "2 h 5 min"]
