"""`vitviz compare`: its numbers are the library's; files, JSON and messages."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import vitviz
from tests.support.command_line import CAT, EIGHT, FOUR, ROCKET, objects, only_line
from tests.support.facts import assert_mentions
from vitviz.analysis.comparison import head_resemblance

BEFORE = "digits-run/step-00100"


def test_two_images_have_the_matches_of_the_library(vit, written):
    result = vit(
        "compare", FOUR, EIGHT, "-m", "digits", "--layer", "4", "--threshold", "0.6", "--json", "--format", "npz"
    )
    assert result.exit_code == 0, result.stderr
    (facts,) = objects(result)
    model = vitviz.load("digits")
    found = vitviz.match(model.trace(FOUR), model.trace(EIGHT), 3)
    pairs = found.mutual(0.6)
    assert len(pairs) == facts["mutual"] == len(facts["pairs"]) > 0
    columns = found.grids[0][1]
    assert facts["pairs"][0]["a"] == [pairs[0][0] // columns + 1, pairs[0][0] % columns + 1]
    assert facts["pairs"][0]["cosine"] == pytest.approx(float(found.similarity[pairs[0][0]]), abs=1e-6)
    ((name, data),) = written().items()
    assert facts["files"][0].endswith(name)
    arrays = np.load(io.BytesIO(data))
    np.testing.assert_array_equal(arrays["best"], found.best)
    np.testing.assert_array_equal(arrays["mutual"], pairs)
    assert arrays["colours_a"].shape == (*found.grids[0], 3)
    assert json.loads(str(arrays["metadata"]))["layer"] == 4


def test_the_picture_shows_both_images_at_the_width(vit, written):
    result = vit("compare", CAT, ROCKET, "--width", "612")
    assert result.exit_code == 0, result.stderr
    path, sentence = result.stdout.splitlines()
    ((name, data),) = written().items()
    assert path.endswith(name)
    assert name == "cat-rocket-compare-L12-w612.png"
    assert_mentions(sentence, 12)
    picture = Image.open(io.BytesIO(data))
    assert picture.width == 612
    assert json.loads(picture.info["vitviz"])["names"] == ["cat.jpg", "rocket.jpg"]


def test_two_checkpoints_have_the_numbers_of_the_library(vit, written):
    options = (
        "-m",
        BEFORE,
        "-m",
        "digits",
        "--layer",
        "2",
        "--head",
        "3",
        "--json",
        "--format",
        "npz",
        "--format",
        "png",
    )
    result = vit("compare", FOUR, EIGHT, *options)
    assert result.exit_code == 0, result.stderr
    (facts,) = objects(result)
    models = vitviz.load(BEFORE), vitviz.load("digits")
    traces = [model.trace(FOUR) for model in models]
    change = vitviz.compare(*traces)
    np.testing.assert_allclose(facts["attention_divergence"], change.attention, atol=1e-6)
    np.testing.assert_allclose(facts["weight_change"], change.weights, atol=1e-6)
    np.testing.assert_allclose(facts["token_cosine"], change.token_cosine, atol=1e-6)
    np.testing.assert_allclose(facts["cka"], vitviz.cka(*models, [FOUR, EIGHT]).values, atol=1e-5)
    resemblance = head_resemblance(*traces, 1, 2)
    np.testing.assert_allclose(facts["resemblance"], resemblance, atol=1e-6)
    assert facts["resembling"][0]["cosine"] == pytest.approx(float(resemblance.max()), abs=1e-6)
    assert facts["output"]["after"]["prediction"] == "4"
    assert set(change.sentences()) <= set(facts["sentences"])
    assert len(written()) == len(facts["files"]) == 2


def test_heads_are_compared_by_their_divergence(vit):
    options = ("-m", BEFORE, "-m", "digits", "--layer", "2", "--head", "3", "--json", "--measure", "jensen_shannon")
    result = vit("compare", FOUR, *options)
    assert result.exit_code == 0, result.stderr
    (facts,) = objects(result)
    traces = [vitviz.load(name).trace(FOUR) for name in (BEFORE, "digits")]
    divergence = head_resemblance(*traces, 1, 2, measure="jensen_shannon")
    np.testing.assert_allclose(facts["resemblance"], divergence, atol=1e-6)
    listed = [one["jensen_shannon"] for one in facts["resembling"]]
    assert listed == sorted(listed)
    assert listed[0] == pytest.approx(float(divergence.min()), abs=1e-6)
    assert_mentions(" ".join(facts["sentences"]), f"{divergence.min():.3f}")
    assert facts["measure"] == "jensen_shannon"


def test_other_architectures_have_no_before_and_after(vit):
    result = vit("compare", FOUR, "-m", "dinov2-small", "-m", "digits", "--json")
    assert result.exit_code == 0, result.stderr
    (facts,) = objects(result)
    assert np.shape(facts["cka"]) == (12, 6)
    assert np.shape(facts["resemblance"]) == (6, 4)
    assert "attention_divergence" not in facts


def test_a_file_about_other_images_is_kept(vit, written, tmp_path):
    assert vit("compare", FOUR, EIGHT, "-m", "digits").exit_code == 0
    (before,) = written().values()
    (tmp_path / "digit-8.png").write_bytes((tmp_path / EIGHT).read_bytes())
    assert vit("compare", FOUR, str(tmp_path / "digit-8.png"), "-m", "digits").exit_code == 0
    assert len(written()) == 2
    assert before in written().values()
    assert vit("compare", FOUR, EIGHT, "-m", "digits").exit_code == 0
    assert len(written()) == 2


@pytest.mark.parametrize(
    ("arguments", "mentioned"),
    [
        ((FOUR,), "1 image"),
        ((FOUR, EIGHT, CAT), "3 images"),
        ((FOUR, "-m", "digits", "-m", "digits"), "'digits'"),
        ((FOUR, "-m", "digits", "-m", BEFORE, "-m", "dinov2-small"), "3 models"),
        ((FOUR, EIGHT, "-m", "digits", "--layer", "7"), "'7'"),
        ((FOUR, "-m", "digits", "-m", BEFORE, "--head", "5"), "'5'"),
        ((FOUR, "-m", "digits", "-m", BEFORE, "--head", "mean"), "mean"),
        ((FOUR, "nothing.png", "-m", "digits"), "nothing.png"),
        ((FOUR, EIGHT, "-m", "digits", "--threshold", "2"), "threshold"),
        ((FOUR, "-m", "digits", "-m", BEFORE, "--measure", "distance"), "measure"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(vit, written, arguments, mentioned, tmp_path):
    assert mentioned in only_line(vit("compare", *arguments))
    assert not (tmp_path / "out").exists()


TWO_IMAGES = ("compare", FOUR, EIGHT, "-m", "digits")
TWO_MODELS = ("compare", FOUR, "-m", BEFORE, "-m", "digits")
SETTINGS = [
    (TWO_IMAGES, ("--threshold", "0.9"), ("--threshold", "-0.1"), ("--size", "64"), ("--fit", "pad"), ("--layer", "2")),
    (
        TWO_MODELS,
        ("--head", "2"),
        ("--measure", "jensen_shannon"),
        ("--size", "64"),
        ("--fit", "pad"),
        ("--layer", "2"),
    ),
]


@pytest.mark.parametrize("command", SETTINGS)
def test_results_of_different_settings_have_different_names(command, vit, written):
    start, *settings = command
    for chosen in ((), *settings):
        result = vit(*start, *chosen)
        assert result.exit_code == 0, result.stderr
    assert len(written()) == 1 + len(settings)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((*TWO_MODELS, "--head", "mean"), ["'mean'", "1 to 4"]),
        ((*TWO_MODELS, "--head", "5"), ["'5'", "1 to 4"]),
        (("compare", FOUR, "-m", "digits", "-m", "dinov2-small", "--size", "30"), ["4 and 14", "28"]),
        (("compare", FOUR, FOUR), [FOUR]),
    ],
)
def test_messages_name_what_is_wrong_and_what_works(arguments, named, vit):
    result = vit(*arguments)
    assert result.exit_code == 2
    assert all(part in result.stderr for part in named)
    assert "mean." not in result.stderr


def test_the_advised_size_fits_both_models(vit):
    models = ("-m", "digits", "-m", "dinov2-small")
    assert vit("compare", FOUR, *models, "--size", "56", "--head", "1").exit_code == 0
    assert vit("compare", FOUR, EIGHT, "-m", "digits", "--head", "9").exit_code == 0, "it is an option for two models"
