"""Accuracy of taught heads: the measurement of docs/taught-heads.md, and the numbers that are published."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scripts import taught_heads, taught_heads_report
from scripts.digits import SAMPLES
from scripts.taught_heads import COUNTS, DRAWS, POOLINGS, TEST_CROPS, TRAIN_CROPS, Examples
from tests.support.image_files import noise
from vitviz.analysis import classifier

WIDTH = 12  # features of an image


@pytest.fixture(scope="module")
def examples():
    """Features of three classes that overlap."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, WIDTH))
    return {
        name: Examples(*(centre + random.normal(size=(count, WIDTH)) for count in (8, 20)))
        for name, centre in zip("abc", centres, strict=True)
    }


@pytest.fixture(scope="module")
def results():
    return taught_heads_report.stored()


# --- Measurement -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_counts_what_scikit_learn_predicts(examples, pooling, binary):
    found = taught_heads.measured(examples, counts=(1, 4), draws=2)
    assert (found["classes"], found["test"]) == (["a", "b", "c"], [20, 20, 20])
    used = slice(WIDTH // 2 if pooling == "token" else WIDTH)
    rows = [row for row in found["rows"] if (row["pooling"], row["binary"]) == (pooling, binary)]
    assert [row["images"] for row in rows] == [1, 4]
    for row in rows:
        for draw, correct in enumerate(row["correct"]):
            orders = [taught_heads.chosen(8, draw, place)[: row["images"]] for place in range(3)]
            x = np.concatenate([one.train[order] for one, order in zip(examples.values(), orders, strict=True)])
            regression = LogisticRegression(tol=1e-9, max_iter=10_000)
            theirs = make_pipeline(StandardScaler(), OneVsRestClassifier(regression) if binary else regression)
            theirs.fit(x[:, used], np.repeat(list("abc"), row["images"]))
            assert correct == [int((theirs.predict(one.test[:, used]) == name).sum()) for name, one in examples.items()]
    assert len({tuple(correct) for row in rows for correct in row["correct"]}) > 1


def test_draws_differ_and_grow(examples):
    orders = {tuple(taught_heads.chosen(8, draw, place)) for draw in range(4) for place in range(3)}
    assert len(orders) == 12
    assert all(sorted(order) == list(range(8)) for order in orders)


def test_crops_of_training_and_test_have_no_pixel_in_common(tmp_path):
    halves = Image.new("RGB", (301, 200), "red")
    halves.paste("blue", (150, 0, 301, 200))
    halves.save(tmp_path / "halves.png")
    found = taught_heads.crops(tmp_path / "halves.png", 30, 20)
    assert (len(found.train), len(found.test)) == (30, 20)
    for crops, colour in ((found.train, (255, 0, 0)), (found.test, (0, 0, 255))):
        assert {crop.getcolors(1)[0][1] for crop in crops} == {colour}
        assert all(crop.width == crop.height for crop in crops)
        assert len({crop.width for crop in crops}) > 5


def test_the_class_token_is_the_first_half_of_the_features(small):
    image = noise(60, 60)
    found = taught_heads.pooled(taught_heads.features(small, {"a": Examples([image], [image])}), "token")["a"]
    expected = classifier.features(small, [image], "token", size=taught_heads.SIZE)
    for part in (found.train, found.test):
        np.testing.assert_allclose(part, expected, atol=1e-5)


def test_the_shipped_images_of_digits_are_test_images():
    digits = taught_heads.all_digits()
    assert all(len(one.train) >= max(COUNTS) for one in digits.values())
    for path in SAMPLES.glob("*.png"):
        shipped = Image.open(path).convert("RGB").tobytes()
        one = digits[path.stem.removeprefix("digit-")]
        assert sum(image.tobytes() == shipped for image in one.test) == 1
        assert all(image.tobytes() != shipped for image in one.train)


# --- What is published -----------------------------------------------------------------------------------------------


def test_the_counts_are_those_of_the_present_settings(results):
    expected = (taught_heads.MODEL, taught_heads.SIZE, taught_heads.SEED)
    assert (results["model"], results["size"], results["seed"]) == expected
    digits = {name: len(one.test) for name, one in taught_heads.all_digits().items()}
    crops = {path.stem: TEST_CROPS for path in taught_heads.PHOTOGRAPHS.glob("*.jpg")}
    for name, tests in (("crops", crops), ("digits", digits)):
        one = results["sets"][name]
        assert dict(zip(one["classes"], one["test"], strict=True)) == tests
        heads = [(row["pooling"], row["binary"], row["images"]) for row in one["rows"]]
        assert heads == [(pooling, binary, n) for pooling in POOLINGS for binary in (False, True) for n in COUNTS]
        for row in one["rows"]:
            assert np.shape(row["correct"]) == (DRAWS, len(tests))
            assert (np.array(row["correct"]) <= one["test"]).all()


def test_the_page_has_the_tables_and_the_figure_of_the_counts(results):
    page = taught_heads_report.PAGE.read_text("utf-8")
    text = taught_heads_report.tables(results)
    assert text in page
    assert taught_heads_report.with_tables(page, "others").replace("others", text) == page
    assert f"]({taught_heads_report.FIGURE.relative_to(taught_heads_report.DOCS)})" in page
    stored, drawn = taught_heads_report.FIGURE.read_text("utf-8"), taught_heads_report.figure(results)
    assert texts(stored) == texts(drawn)
    assert {*map(str, COUNTS), *taught_heads_report.TITLES.values()} <= set(texts(stored))


def texts(drawing: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def test_an_accuracy_of_the_tables_by_hand(results):
    one = results["sets"]["digits"]
    (row,) = [row for row in one["rows"] if (row["pooling"], row["binary"], row["images"]) == ("token+mean", True, 10)]
    shares = [100 * sum(correct) / sum(one["test"]) for correct in row["correct"]]
    cell = f"{sum(shares) / len(shares):.1f} ({min(shares):.1f} to {max(shares):.1f})"
    lines = taught_heads_report.tables(results).split("### ")[2].splitlines()
    (line,) = [line for line in lines if re.match(r"\| 10 \|", line)]
    assert line.split("|")[5].strip() == cell


def test_what_follows_on_the_page_follows(results):
    for one in results["sets"].values():
        mean = {
            (row["pooling"], row["binary"], row["images"]): np.sum(row["correct"], axis=1).mean() / sum(one["test"])
            for row in one["rows"]
        }
        for count in COUNTS:
            for pooling in POOLINGS:
                assert -0.001 < mean[pooling, True, count] - mean[pooling, False, count] < 0.025
            gained = mean["token+mean", False, count] - mean["token", False, count]
            assert gained < -0.02 if count <= 3 else gained < 0.01
            assert abs(gained) < 0.01 or count < 20


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("binary", [False, True])
def test_the_counts_of_one_photograph_are_measured_again(recomputed, results, pooling, binary):
    """With two images per class; rounding on another machine may change a prediction."""
    one = results["sets"]["crops"]
    (row,) = [row for row in one["rows"] if (row["pooling"], row["binary"], row["images"]) == (pooling, binary, 2)]
    again = taught_heads.correct(taught_heads.pooled(recomputed, pooling), 2, 0, binary=binary)
    assert again[0] == pytest.approx(row["correct"][0][0], abs=1)


@pytest.fixture(scope="module")
def recomputed(model):
    """Features of the images that the first draw takes, and of the test crops of the first photograph."""
    found = {}
    for place, path in enumerate(sorted(taught_heads.PHOTOGRAPHS.glob("*.jpg"))):
        images, taken = taught_heads.crops(path), taught_heads.chosen(TRAIN_CROPS, 0, place)[:2]
        computed = taught_heads.features(
            model, {"": Examples([images.train[i] for i in taken], images.test if place == 0 else images.test[:1])}
        )[""]
        train = np.zeros((TRAIN_CROPS, computed.train.shape[1]), np.float32)
        train[taken] = computed.train
        found[path.stem] = Examples(train, computed.test)
    return found
