"""Command `vitviz`: results equal those of the library, and errors are single lines that do not stop a run."""

import html
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import vitviz
from tests.support.command_line import CAT, COMMANDS, EIGHT, FOUR, IMAGES, PROCESS, ROCKET, objects, only_line, report
from tests.support.facts import assert_mentions
from vitviz.analysis.attribution.targets import default_target
from vitviz.cli.app import app
from vitviz.notation.view import View

pytestmark = pytest.mark.slow


def test_attention_is_the_librarys(vit, written, model):
    asked = ["--layer", "3", "--head", "2", "--query", "4-9", "--size", "280", "--fit", "squash"]
    result = vit("attention", ROCKET, *asked, "--format", "png", "--format", "npz", "--json")
    assert result.exit_code == 0
    trace = model.trace(ROCKET, size=280, fit="squash")
    weights = trace.attention(2, 1, 1 + 3 * 20 + 8)
    files = written()
    stem = "rocket-L3-H2-4-9-280px-squash"
    assert list(files) == [f"{stem}.npz", f"{stem}.png"]
    arrays = np.load(io.BytesIO(files[f"{stem}.npz"]))
    assert np.array_equal(arrays["weights"], weights)
    (said,) = objects(result)
    assert said | json.loads(str(arrays["metadata"])) | {"image": ROCKET} == said
    row, column = divmod(int(weights[1:].argmax()), 20)
    assert said["strongest"] == {"patch": [row + 1, column + 1], "weight": pytest.approx(float(weights[1:].max()))}
    assert [Path(file).name for file in said["files"]] == [f"{stem}.png", f"{stem}.npz"]
    png = Image.open(io.BytesIO(files[f"{stem}.png"]))
    assert png.info["Description"].startswith(f"{View(2, 1, 1 + 3 * 20 + 8).label(trace)}: ")


def test_attention_of_a_region_is_the_librarys(vit, written, model):
    result = vit("attention", CAT, "--layer", "3", "--head", "2", "--query", "4..6-9..10", "--format", "npz", "--json")
    trace = model.trace(CAT)
    tokens = [1 + 16 * row + column for row in (3, 4, 5) for column in (8, 9)]
    (said,) = objects(result)
    assert said["token"] == "4..6-9..10"
    ((name, data),) = written().items()
    assert name == "cat-L3-H2-4--6-9--10.npz"
    np.testing.assert_allclose(np.load(io.BytesIO(data))["weights"], trace.attention(2, 1, tokens), atol=1e-6)
    wrong = vit("attention", CAT, "--query", "4..6-9..17")
    assert wrong.exit_code == 2
    assert "16-16" in wrong.stderr


def test_attention_by_default(vit, written):
    result = vit("attention", CAT)
    assert (result.exit_code, list(written())) == (0, ["cat-L12-mean-cls.png"])
    assert result.stdout.splitlines() == [str(Path(result.stdout.strip()))]
    assert result.stderr == "", "no progress bar without a terminal"
    turned = vit("attention", CAT, "--to", "--query", "cls", "--head", "6", "--scale", "uniform", "--json")
    wanted = {"direction": "to", "scale": "uniform", "layer": 12, "head": 6, "token": "cls"}
    assert wanted.items() <= objects(turned)[0].items()


def test_tokens_are_the_librarys(vit, written, trace):
    from vitviz.analysis.tokens import pca_of_layers

    result = vit("tokens", CAT, "--layer", "7", "--format", "npz", "--format", "png", "--json")
    assert result.exit_code == 0
    files = written()
    arrays = np.load(io.BytesIO(files["cat-tokens-L7.npz"]))
    found = pca_of_layers(trace.tokens(6)[None, 1:])
    assert arrays["tokens"] == pytest.approx(trace.tokens(6), abs=1e-5)
    assert arrays["scores"].reshape(256, 3) == pytest.approx(found.scores[0], abs=1e-2)
    assert arrays["colours"].shape == (16, 16, 3)
    assert objects(result)[0]["explained"] == pytest.approx(list(found.explained[0]), abs=1e-4)
    picture = Image.open(io.BytesIO(files["cat-tokens-L7.png"]))
    assert "Layer 7: " in picture.info["Description"]
    corner, colour = np.array(picture)[:60, :60].mean(axis=(0, 1)), arrays["colours"][0, 0]
    assert np.abs(corner - colour).max() < 0.3 * 255
    vit("tokens", CAT, "--foreground", "--format", "npz")
    arrays = np.load(io.BytesIO(written()["cat-tokens-L12-foreground.npz"]))
    assert 0 < np.isnan(arrays["scores"]).any(axis=-1).sum() < 256
    assert not arrays["colours"][np.isnan(arrays["scores"]).any(axis=-1)].any(), "background is black"


@pytest.mark.parametrize("method", ["attention", "rollout", "gradient_attention", "legrad", "integrated_gradients"])
def test_explanations_are_the_librarys(vit, written, method):
    from vitviz.analysis.attribution import ClassTarget, explain

    takes_target = method not in ("attention", "rollout")
    asked = ["--target", "8"] if takes_target else []
    result = vit("explain", FOUR, "-m", "digits", "--method", method, *asked, "--format", "npz", "--json")
    assert result.exit_code == 0
    expected = explain(vitviz.load("digits"), FOUR, method=method, target=ClassTarget(8, "8") if takes_target else None)
    stem = f"digit-4-{method}{'-8' if takes_target else ''}-digits"
    found = np.load(io.BytesIO(written()[f"{stem}.npz"]))["map"]
    assert found == pytest.approx(expected.map, abs=1e-5)
    (said,) = objects(result)
    assert (said["method"], said["target"], said["counted_from"]) == (method, expected.target or None, 1)
    assert said["value"] == (pytest.approx(expected.value, abs=1e-4) if takes_target else None)
    row, column = said["strongest"]["patch"]
    assert abs(found[row - 1, column - 1]) == np.abs(found).max()


def test_what_is_explained(vit, written, trace):
    assert "“4”" in report(vit, written, "explain", FOUR, "-m", "digits")
    assert "“4 minus 9”" in report(vit, written, "explain", FOUR, "-m", "digits", "--target", "4", "--minus", "9")
    assert "rocket.jpg”" in report(vit, written, "explain", CAT, "--like", ROCKET)
    assert html.escape(default_target(trace).label) in report(vit, written, "explain", CAT)


@pytest.mark.parametrize(
    ("method", "typed", "parameters", "mark"),
    [
        ("attention", ["--layer", "3", "--head", "2"], {"layer": 2, "head": 1}, "L3-H2"),
        ("attention", ["--head", "1"], {"head": 0}, "H1"),
        ("rollout", ["--head-fusion", "max"], {"head_fusion": "max"}, "head-fusion-max"),
        ("rollout", ["--discard-ratio", "0.5"], {"discard_ratio": 0.5}, "discard-ratio-0.5"),
        ("integrated_gradients", ["--steps", "8"], {"steps": 8}, "steps-8"),
        ("integrated_gradients", ["--baseline", "mean"], {"baseline": "mean"}, "baseline-mean"),
        ("occlusion", ["--window", "2"], {"window": 2}, "window-2"),
        ("occlusion", ["--baseline", "blur"], {"baseline": "blur"}, "baseline-blur"),
        ("attention", ["--layer", "6", "--head", "mean"], {}, ""),
        ("occlusion", ["--window", "1", "--baseline", "mean"], {}, ""),
    ],
)
def test_parameters_are_the_librarys(vit, written, method, typed, parameters, mark):
    from vitviz.analysis.attribution import explain

    result = vit("explain", FOUR, "-m", "digits", "--method", method, *typed, "--format", "npz", "--json")
    assert result.exit_code == 0, result.stderr
    expected = explain(vitviz.load("digits"), FOUR, method=method, **parameters)
    found = np.load(io.BytesIO(written()["-".join(filter(None, ["digit-4", method, mark, "digits"])) + ".npz"]))
    assert found["map"] == pytest.approx(expected.map, abs=1e-5)
    layers = {"layer": parameters.get("layer", 5) + 1} if method == "attention" else {}
    heads = {"head": parameters["head"] + 1 if "head" in parameters else "mean"} if method == "attention" else {}
    assert objects(result)[0]["parameters"] == expected.parameters | layers | heads


def test_likeness_to_several_is_to_their_mean(vit, written, model):
    from vitviz.analysis.attribution import SimilarityTarget, explain

    coffee = str(IMAGES / "coffee.jpg")
    likes = ["--like", ROCKET, "--like", coffee]
    result = vit("explain", CAT, *likes, "--method", "legrad", "--format", "npz", "--json")
    target = SimilarityTarget.of([model.trace(ROCKET), model.trace(coffee)], "")
    (name,) = written()
    found = np.load(io.BytesIO(written()[name]))["map"]
    assert found == pytest.approx(explain(model, CAT, method="legrad", target=target).map, abs=1e-4)
    assert_mentions(objects(result)[0]["target"], "rocket.jpg", "coffee.jpg")


QUESTIONS = {
    "attention": [[], ["--scale", "raw"], ["--to"], ["--layer", "2"], ["--head", "2"], ["--query", "2-2"]],
    "tokens": [[], ["--foreground"], ["--layer", "2"]],
    "explain": [[], ["--method", "rollout"], ["--target", "1"], ["--target", "1", "--minus", "2"], ["--like", EIGHT]],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_question_overwrites_the_answer_to_another(command, vit, written):
    alike = [["--size", "16"], ["--fit", "pad"]]
    asked = [["-m", "digits", *question] for question in (*QUESTIONS[command], *alike)]
    asked += [["--size", "98"], ["--size", "98", "--fit", "pad"]]
    for count, question in enumerate(asked, start=1):
        result = vit(command, FOUR, *question, "--format", "png", "--format", "html")
        assert result.exit_code == 0, result.stderr
        assert len(written()) == 2 * count, question
    vit(command, FOUR, "-m", "digits", "--size", "32")
    assert len(written()) == 2 * count, "the default, typed"


@pytest.mark.parametrize("command", COMMANDS)
def test_one_bad_file_is_reported_and_the_rest_finish(command, vit, written, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(Path(FOUR).read_bytes()[:200])
    empty = tmp_path / "empty"
    empty.mkdir()
    files = [FOUR, str(bad), str(tmp_path / "none.png"), str(empty), EIGHT]
    result = vit(command, *files, "-m", "digits", "--format", "png", "--format", "html", "--json")
    assert result.exit_code == 1
    assert [one["ok"] for one in objects(result)] == [True, False, False, False, True]
    assert [one["image"] for one in objects(result)] == files
    complaints = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in complaints] == files[1:4]
    for one, line in zip(objects(result)[1:4], complaints, strict=True):
        assert line.endswith(one["error"])
    names = list(written())
    assert len(names) == 3
    assert names[0].startswith("digit-4-")
    assert names[1].startswith("digit-8-")
    said = written()[names[2]].decode()
    assert said.count('class="problem"') == 3
    assert said.count("<img") == 2


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["attention", CAT, "-m", "digitz"], ("'digitz'", "digits")),
        (["attention", CAT, "-m", "no/such/file.pth"], ("no/such/file.pth",)),
        (["attention", CAT, "--layer", "13"], ("'13'", 1, 12)),
        (["attention", CAT, "--layer", "pool"], ("'pool'", 1, 12)),
        (["attention", CAT, "--head", "0"], ("'0'", 1, 6, "mean")),
        (
            ["attention", CAT, "--query", "17-1"],
            (CAT, "'17-1'", "cls", "1-1", "16-16"),
        ),
        (["attention", CAT, "--size", "225"], (225, 14)),
        (["attention", CAT, "--fit", "stretch"], ("stretch",)),
        (["attention", CAT, "--format", "gif"], ("gif",)),
        (["attention"], ("IMAGE",)),
        (["attention", "none.png"], ("none.png", "'none.png'")),
        (["attention", "/dev/null"], ("/dev/null", "'/dev/null'")),
        (["attention", CAT, "-o", f"{CAT}/out"], (f"{CAT}/out",)),
        (["tokens", CAT, "--layer", "last"], ("'last'", 1, 12)),
        (["explain", CAT, "--method", "magic"], ("'magic'", "attention", "rollout")),
        (["explain", CAT, "--target", "4"], ("'dinov2-small'", "--like")),
        (["explain", FOUR, "-m", "digits", "--target", "ten"], ("'ten'",)),
        (["explain", FOUR, "-m", "digits", "--target", "4", "--like", CAT], ("--target", "--like")),
        (["explain", FOUR, "-m", "digits", "--minus", "4"], ("--minus", "--target")),
        (["explain", FOUR, "-m", "digits", "--method", "rollout", "--target", "4"], ("rollout", "--target")),
        (["explain", FOUR, "-m", "digits", "--steps", "4"], ("gradient_attention", "--steps")),
        (
            ["explain", FOUR, "-m", "digits", "--method", "rollout", "--window", "2"],
            ("rollout", "--window", "--head-fusion", "--discard-ratio"),
        ),
        (["explain", FOUR, "-m", "digits", "--method", "rollout", "--discard-ratio", "1"], (1,)),
        (
            ["explain", FOUR, "-m", "digits", "--method", "rollout", "--head-fusion", "sum"],
            ("'sum'", "mean", "max", "min"),
        ),
        (["explain", FOUR, "-m", "digits", "--method", "attention", "--layer", "7"], ("'7'", 1, 6)),
        (["explain", FOUR, "-m", "digits", "--method", "attention", "--head", "9"], ("'9'", 1, "mean")),
        (["explain", FOUR, "-m", "digits", "--method", "occlusion", "--window", "9"], (1, 8, 9)),
        (["explain", FOUR, "-m", "digits", "--method", "occlusion", "--baseline", "red"], ("'red'", "blur", "mean")),
        (["explain", FOUR, "-m", "digits", "--method", "integrated_gradients", "--steps", "0"], ("steps", 1, 0)),
        (["explain", CAT, "--like", "none.png"], ("'none.png'",)),
        (["paint", CAT], ("'paint'",)),
        (["attention", CAT, "--colour"], ("--colour",)),
    ],
)
def test_wrong_input_is_one_plain_line(arguments, facts, vit):
    assert_mentions(only_line(vit(*arguments)), *facts)


def test_only_models_that_can_be_loaded_are_near(vit):
    from vitviz.zoo.pretrained import tags

    known = {*vitviz.zoo.SHIPPED, *tags(), *(tag.partition(".")[0] for tag in tags())}
    for name in ("nope", "resnet51", "swin"):
        said = only_line(vit("attention", CAT, "-m", name))
        near = said.removeprefix(f"There is no model {name!r}; the nearest names are ").removesuffix(".").split(", ")
        assert len(near) == 3
        assert set(near) <= known


@pytest.mark.parametrize(
    "wrong", [["-m", "digitz"], ["--method", "magic"], ["--target", "ten"], ["--fit", "stretch"], ["--layer", "9"]]
)
def test_machines_are_told_why_there_is_no_answer(wrong, vit):
    for command in ("explain", "attention"):
        result = vit(command, FOUR, "-m", "digits", *wrong, "--json")
        assert result.exit_code == 2
        (line,), (said,) = result.stderr.splitlines(), objects(result)
        assert line == f"vitviz: {said['error']}"
        assert set(said) == {"error"}


def test_nothing_is_said_to_a_reader_who_is_gone(tmp_path):
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as gone:
        command = [*PROCESS, "tokens", FOUR, EIGHT, "-m", "digits", "--json", "-o", str(tmp_path)]
        done = subprocess.run(
            command, cwd=Path(vitviz.__file__).parents[1], stdout=gone, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_help_names_the_commands():
    for arguments in ([], ["--help"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0
        assert all(command in result.stdout for command in COMMANDS)


WITHOUT_NETWORK = """
import runpy, socket, sys
def refused(*_): raise AssertionError("a network was asked for")
socket.socket.connect = socket.getaddrinfo = refused
sys.argv = ["vitviz", *sys.argv[1:]]
runpy.run_module("vitviz.cli", run_name="__main__")
"""


def test_as_a_program_without_a_network(tmp_path):
    arguments = ["attention", CAT, ROCKET, "-m", "dinov2-small", "-o", str(tmp_path), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK, *arguments],
        cwd=Path(vitviz.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["image"] for line in done.stdout.splitlines()] == [CAT, ROCKET]
    assert len(list(tmp_path.iterdir())) == 2
