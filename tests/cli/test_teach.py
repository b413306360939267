"""`vitviz teach`: heads and estimates equal those of the library; --linear-head of the other commands."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.vision_transformer import VisionTransformer as TimmViT
from typer.testing import CliRunner

import vitviz
from tests.support.checkpoints import SHAPE, randomised
from tests.support.command_line import COMMANDS, EIGHT, FOUR, objects, only_line
from tests.support.facts import assert_mentions
from tests.support.heads import head_for
from tests.support.image_files import noise
from vitviz.analysis.classifier import appearance, cross_validate, features, fit_head, nearest_other, notes_on
from vitviz.analysis.predictions import predictions
from vitviz.cli.app import app
from vitviz.images import prepare, read_image

CLASSES = ("four", "eight", "blot")
EACH = 4  # images of a class


def varied(path: str, seed: int) -> Image.Image:
    """Picture of a digit with noise, so that no two are the same."""
    image = np.asarray(Image.open(path).convert("RGB").resize((64, 64)), float)
    grain = np.random.default_rng(seed).normal(0, 40, image.shape)
    return Image.fromarray((image + grain).clip(0, 255).astype(np.uint8))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Folder with three classes of four images, in the working directory of the test."""
    for at, (name, source) in enumerate(zip(CLASSES, (FOUR, EIGHT, None), strict=True)):
        for i in range(EACH):
            file = tmp_path / "photos" / name / ("more/deep" if i == EACH - 1 else "") / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            (varied(source, 10 * at + i) if source else noise(64, 64, i)).save(file)
    monkeypatch.chdir(tmp_path)
    return Path("photos")


@pytest.fixture
def teach(photos):
    """Function that runs `vitviz teach photos` with the digits model."""

    def run(*arguments: str, folder: str = "photos", out: str = "a.safetensors"):
        result = CliRunner().invoke(app, ["teach", folder, "-o", out, "-m", "digits", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def images_of(folder: Path) -> tuple[list[str], list[str]]:
    """Paths and labels in the order in which the command reads them."""
    names = sorted(path.name for path in folder.iterdir())
    pairs = [(str(path), name) for name in names for path in sorted((folder / name).rglob("*.png"))]
    return [path for path, _ in pairs], [label for _, label in pairs]


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ([], {}),
        (["--binary"], {"binary": True}),
        (["--pooling", "mean", "--size", "48", "--fit", "squash"], {"pooling": "mean", "size": 48, "fit": "squash"}),
    ],
)
def test_the_head_is_the_librarys(teach, photos, typed, options):
    digits = vitviz.load("digits")
    side = digits.config.patch_size * 6
    typed, options = [str(side) if one == "48" else one for one in typed], dict(options)
    if "size" in options:
        options["size"] = side
    result = teach(*typed, "--json")
    assert result.exit_code == 0, result.stderr
    paths, labels = images_of(photos)
    expected = fit_head(digits, paths, labels, **options)
    head = vitviz.open_head("a.safetensors")
    assert head.weight == pytest.approx(expected.weight, abs=1e-4)
    assert head.bias == pytest.approx(expected.bias, abs=1e-4)
    for name in ("labels", "pooling", "output_kind", "preprocessing", "counts", "fingerprint"):
        assert getattr(head, name) == getattr(expected, name), name

    binary = {"binary": options.pop("binary", False)}
    vectors = features(digits, paths, **options)
    validated = cross_validate(vectors, labels, **binary)
    *images, about = objects(result)
    assert [(one["image"], one["class"]) for one in images] == list(zip(paths, labels, strict=True))
    own = validated.probabilities[np.arange(len(labels)), validated.truth]
    assert [one["probability"] for one in images] == pytest.approx(own.tolist(), abs=1e-3)
    assert [one["predicted"] for one in images] == [validated.classes[i] for i in validated.predicted]
    assert [one["nearest_other"] for one in images] == [paths[i] for i in nearest_other(vectors, labels)]
    assert about["classes"] == sorted(CLASSES)
    assert (about["counts"], about["correct"], about["folds"]) == ([EACH] * 3, validated.correct, 3 * EACH)
    assert about["correct"] == head.correct
    assert about["interval"] == pytest.approx(validated.interval())
    assert about["confusion"] == validated.confusion().tolist()
    assert (about["model"], about["linear_head"], about["linear_head_sha256"]) == ("digits", "a", head.digest)
    own = digits.preprocessing
    size, fit = options.get("size", head.preprocessing.size), options.get("fit", own.fit)
    prepared = [prepare(read_image(path), size, digits.config.patch_size, fit, own) for path in paths]
    assert about["notes"] == list(notes_on(validated, np.stack([appearance(one) for one in prepared])))


def test_the_plain_output(teach, photos):
    result = teach()
    assert (result.exit_code, result.stderr) == (0, "")
    head = vitviz.open_head("a.safetensors")
    lines = result.stdout.splitlines()
    assert lines[0] == "a.safetensors"
    assert_mentions(lines[1], "digits", 12, "blot", 4, "eight", 4, "four", 4)
    assert_mentions(lines[2], head.correct, 12, 95)
    table = [line.split() for line in lines if line.startswith(tuple(sorted(CLASSES)))]
    assert [row[0] for row in table] == sorted(CLASSES)
    numbers = np.array([row[1:] for row in table], int)
    assert (numbers.sum(axis=1) == EACH).all()
    assert np.trace(numbers) == head.correct
    worst = [line for line in lines if line.count("photos/") == 2]
    assert len(worst) == 5
    shares = [float(line.split()[0]) for line in worst]
    assert shares == sorted(shares)
    assert_mentions(result.stdout, "Fewer", "blot", 4)


def test_there_is_no_table_of_many_classes(teach, photos):
    for name in "bcdefghi":
        shutil.copytree(photos / "four", photos / name)
    result = teach()
    assert result.exit_code == 0
    assert not [line for line in result.stdout.splitlines() if line.startswith("four")]
    assert len(objects(teach("--json"))[-1]["confusion"]) == 11


# --- Folders ---------------------------------------------------------------------------------------------------------


def test_images_that_cannot_be_read_are_reported_and_left_out(teach, photos):
    (photos / "four" / "bad.png").write_bytes(b"\x89PNG\r\n")
    (photos / "four" / "notes.txt").write_text("four")
    (photos / "four" / ".hidden.png").write_bytes(b"")
    (photos / ".git").mkdir()
    os.mkfifo(photos / "four" / "pipe.png")
    (photos / "again").symlink_to(photos.absolute() / "four", target_is_directory=True)
    shutil.copy(FOUR, photos / "beside.png")
    result = teach("--json")
    assert result.exit_code == 1
    failed = [one for one in objects(result) if one.get("ok") is False]
    assert [one["image"] for one in failed] == ["photos/four/bad.png"]
    assert result.stderr.count("photos/four/bad.png") == 1
    assert_mentions(result.stderr, 1, "'photos'")
    assert vitviz.open_head("a.safetensors").counts == (EACH,) * 3


def test_classes_are_in_natural_order_in_messages_and_sorted_in_the_head(teach, photos):
    for name, number in zip(CLASSES, (10, 9, 2), strict=True):
        (photos / name).rename(photos / f"class {number}")
    assert teach().exit_code == 0
    assert vitviz.open_head("a.safetensors").labels == ("class 10", "class 2", "class 9")


def test_a_class_of_one_image_has_no_estimate(teach, photos):
    for i in range(1, EACH - 1):
        (photos / "blot" / f"{i}.png").unlink()
    shutil.rmtree(photos / "blot" / "more")
    result = teach("--json")
    assert result.exit_code == 0
    about = objects(result)[-1]
    assert [about[name] for name in ("correct", "accuracy", "interval", "confusion", "folds")] == [None] * 5
    assert_mentions(about["notes"][0], "blot")
    assert all(one["predicted"] is None for one in objects(result)[:-1])
    assert vitviz.open_head("a.safetensors").correct is None
    assert "blot" in teach().stdout


@pytest.mark.parametrize(
    ("change", "arguments", "facts"),
    [
        (lambda photos: None, {"folder": "none"}, ("'none'",)),
        (lambda photos: None, {"folder": "photos/four"}, ("'photos/four'", 1)),
        (lambda photos: None, {"folder": FOUR}, (f"'{FOUR}'",)),
        (lambda photos: (photos / "empty").mkdir(), {}, ("photos/empty",)),
        (lambda photos: (photos / "four").rename(photos / "<b>"), {}, ("<b>",)),
        (lambda photos: (photos / "four").rename(photos / "a\x1b[2J"), {}, ("a",)),
        (lambda photos: [path.write_text("x") for path in (photos / "four").rglob("*.png")], {}, ("four",)),
        (lambda photos: None, {"out": "a.pth"}, ("'a.pth'", ".safetensors")),
        (lambda photos: None, {"out": "photos"}, ("'photos'", ".safetensors")),
        (lambda photos: Path("best.safetensors").write_bytes(b"w"), {"out": "best.safetensors"}, ("best.safetensors",)),
        (lambda photos: Path("x").write_bytes(b"w"), {"out": "x/a.safetensors"}, ("x",)),
        (lambda photos: None, {"more": ("--pooling", "attention")}, ("'digits'", "mean")),
        (lambda photos: None, {"more": ("--pooling", "max")}, ("max",)),
        (lambda photos: None, {"more": ("--size", "33")}, (33,)),
        (lambda photos: None, {"more": ("--size", "7200")}, (7200,)),
        (lambda photos: None, {"more": ("-m", "digitz")}, ("'digitz'",)),
    ],
)
def test_wrong_input_is_one_plain_line(teach, photos, change, arguments, facts):
    change(photos)
    arguments = dict(arguments)
    result = teach(*arguments.pop("more", ()), **arguments)
    message = result.stderr.splitlines()[-1]
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message.startswith("vitviz: ")
    assert message.isprintable()
    assert_mentions(message, *facts)
    assert not Path("a.safetensors").exists()
    if Path("best.safetensors").exists():
        assert Path("best.safetensors").read_bytes() == b"w", "a file of weights is not replaced"


def test_a_head_is_replaced_by_another_one(teach):
    assert teach().exit_code == 0
    assert teach("--binary").exit_code == 0
    assert vitviz.open_head("a.safetensors").output_kind == "independent"


def test_the_folder_of_the_head_is_made(teach):
    assert teach(out="new/folder/a.safetensors").exit_code == 0
    assert vitviz.open_head("new/folder/a.safetensors").name == "a"


def test_an_interrupted_lesson_writes_nothing(teach, stopped_after):
    stopped_after(5)
    result = teach()
    assert result.exit_code == 130
    assert_mentions(result.stderr, 5, 12)
    assert not Path("a.safetensors").exists()


def test_thumbnails_are_written_only_if_asked_for(teach, photos):
    assert teach().exit_code == 0
    assert vitviz.open_head("a.safetensors").thumbnails == ()
    for i in range(30):
        shutil.copy(FOUR, photos / "four" / f"copy {i}.png")
    assert teach("--thumbnails").exit_code == 0
    head = vitviz.open_head("a.safetensors")
    assert dict(zip(head.labels, map(len, head.thumbnails), strict=True)) == {"blot": 4, "eight": 4, "four": 24}
    pictures = [Image.open(io.BytesIO(one)) for images in head.thumbnails for one in images]
    assert all(max(picture.size) <= 96 and not picture.getexif() for picture in pictures)


def test_help_and_missing_options():
    result = CliRunner().invoke(app, ["teach", "--help"])
    assert result.exit_code == 0
    assert all(option in result.stdout for option in ("--out", "--pooling", "--binary", "--thumbnails", "--arch"))
    assert "--out" in only_line(CliRunner().invoke(app, ["teach", "photos"]))


# --- Other commands with a head --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_the_other_commands_use_the_head(teach, vit, written, command):
    teach()
    result = vit(command, FOUR, "-m", "digits", "--linear-head", "a.safetensors", "--json", "--format", "npz")
    assert result.exit_code == 0, result.stderr
    (said,) = objects(result)
    taught = vitviz.load("digits", head="a.safetensors")
    (best,) = predictions(taught.trace(FOUR), 1)
    assert (said["prediction"], said["confidence"]) == (best.label, pytest.approx(best.probability, abs=1e-5))
    assert_mentions(said["model"], "digits", "a")
    assert said["linear_head_sha256"] == taught.linear_head
    (name,) = written()
    assert "-a" in name
    about = json.loads(str(np.load(io.BytesIO(written()[name]))["metadata"]))
    assert about["linear_head_sha256"] == taught.linear_head
    plain = vit(command, FOUR, "-m", "digits", "--json", "--format", "npz")
    assert "linear_head_sha256" not in objects(plain)[0]
    assert len(written()) == 2, "another model writes another file"


def test_explanations_are_for_its_classes(teach, vit):
    teach()
    asked = ("explain", FOUR, "-m", "digits", "--linear-head", "a.safetensors")
    (said,) = objects(vit(*asked, "--target", "four", "--minus", "eight", "--json"))
    taught = vitviz.load("digits", head="a.safetensors")
    expected = vitviz.explain(taught, FOUR, target=vitviz.DifferenceTarget("four", "eight"))
    assert said["value"] == pytest.approx(expected.value, abs=1e-4)
    assert_mentions(only_line(vit(*asked, "--target", "4")), "'4'")


def test_a_newer_head_is_a_reason_to_run_again(teach, vit):
    teach()
    asked = ("attention", FOUR, "-m", "digits", "--linear-head", "a.safetensors", "--skip-existing", "--json")
    assert "skipped" not in objects(vit(*asked))[0]
    assert objects(vit(*asked))[0]["skipped"] is True
    os.utime("a.safetensors", (2**31, 2**31))
    assert "skipped" not in objects(vit(*asked))[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_head_is_one_plain_line(command, vit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("b.safetensors").write_bytes(b"weights")
    head_for(vitviz.load("digits")).save("cups.safetensors")
    asked = (command, FOUR, "--linear-head")
    assert_mentions(only_line(vit(*asked, "none.safetensors", "-m", "digits")), "'none.safetensors'")
    assert_mentions(only_line(vit(*asked, "b.safetensors", "-m", "digits")), "'b.safetensors'")
    assert_mentions(only_line(vit(*asked, "cups.safetensors", "-m", "dinov2-small")), "'cups'", "'digits'")
    assert only_line(vit(*asked, "", "-m", "digits"))


def test_a_head_of_a_checkpoint(teach, vit, tmp_path):
    """The fit belongs to the head here, although it is otherwise an option of a checkpoint."""
    torch.save(randomised(TimmViT(**SHAPE)).state_dict(), "best.pth")
    options = ("-m", "best.pth", "--num-heads", "3", "--mean", "0.5")
    assert teach(*options, "--fit", "pad").exit_code == 0
    head = vitviz.open_head("a.safetensors")
    assert (head.preprocessing.fit, head.preprocessing.mean) == ("pad", (0.5,) * 3)
    asked = ("attention", FOUR, *options, "--linear-head", "a.safetensors", "--json")
    result = vit(*asked)
    assert result.exit_code == 0, result.stderr
    assert objects(result)[0]["fit"] == "pad"
    cropped = vit(*asked, "--fit", "crop")
    assert objects(cropped)[0]["fit"] == "crop"
    assert objects(cropped)[0]["files"] != objects(result)[0]["files"]
    assert vit("attention", FOUR, *options[:-1], "0.4", "--linear-head", "a.safetensors").exit_code == 2
