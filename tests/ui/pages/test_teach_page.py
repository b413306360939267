"""The page "Teach" without a browser: heads and figures are the library's."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import vitviz
from tests.support.app_pages import dropped, picture, placed, query
from tests.support.taught_images import image
from tests.support.teach_page import (
    COUNT,
    DATA,
    LABELS,
    SETS,
    as_class,
    classes,
    fine,
    give,
    html,
    page,
    taught_page,
    with_classes,
)
from vitviz import zoo
from vitviz.analysis import classifier
from vitviz.analysis.attribution import explain
from vitviz.images import prepare, read_image
from vitviz.notation.marks import percent
from vitviz.ui.app import cache, state, taught
from vitviz.ui.app.messages import escape_markdown
from vitviz.ui.pages.teach import collection, example, image_features, measured_accuracy, relevance, taught_head
from vitviz.zoo.heads import open_head


def numbers(text: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf'data-{name}="([^"]+)"', text)]


@pytest.fixture(scope="module")
def model():
    return vitviz.load("digits")


@pytest.fixture(scope="module")
def features(model):
    return classifier.features(model, DATA)


@pytest.fixture
def used(monkeypatch) -> list:
    """Heads that the page has used, in order."""
    heads = []
    monkeypatch.setattr(taught, "use_head", heads.append)
    monkeypatch.setattr(taught, "head", lambda: heads[-1] if heads else None)
    monkeypatch.setattr(taught, "is_used", lambda: bool(heads))
    return heads


# ---------------------------------------------------------------- head and figures


def test_the_page_begins_with_two_empty_classes_and_says_what_to_do():
    app = fine(page())
    assert classes(app) == {"Class 1": [], "Class 2": []}
    assert "two classes" in app.info[0].value
    assert "confusion" not in html(app)


def test_the_advice_quotes_accuracies_that_were_measured_with_this_model_and_head():
    assert "%" not in page().info[0].value, "nothing was measured with this model"
    app = page(model="dinov2-small")
    sets = json.loads((zoo.assets() / "models" / "taught-heads.json").read_text("utf-8"))["sets"]

    def expected(binary: bool) -> list[str]:
        rows = [
            (row["correct"], one["test"])
            for one in sets.values()
            for row in one["rows"]
            if row["images"] in measured_accuracy.COUNTS and (row["pooling"], row["binary"]) == ("token", binary)
        ]
        return [percent(np.sum(correct, axis=1).mean() / sum(tests)) for correct, tests in rows]

    assert expected(False) != expected(True)
    assert re.findall(r"[\d.]+ %", app.info[0].value) == expected(False)
    app.toggle(key="teach_binary").set_value(True).run()
    assert re.findall(r"[\d.]+ %", app.info[0].value) == expected(True)
    app.selectbox(key="size").set_value(280).run()
    assert "%" not in app.info[0].value


def test_the_figures_are_the_librarys(features):
    app = taught_page()
    found = classifier.cross_validate(features, LABELS)
    (said,) = placed(app, "teach_accuracy")
    low, high = found.interval()
    assert said.startswith(f"**Leave-one-out: {found.correct} of {2 * COUNT} correct")
    assert f"{percent(low)} to {percent(high)}" in said
    table = html(app).partition('data-testid="confusion"')[2].partition("</table>")[0]
    assert re.findall(r"<td>(?:<b>)?(\d+)", table) == [str(count) for count in found.confusion().ravel()]
    nearest, order = classifier.nearest_other(features, LABELS), found.least_certain()[:5]
    shown = html(app).partition('data-testid="least-certain"')[2].partition("</div>")[0]
    marks = [state.Picked("", data, sample=False).digest[: collection.MARK] for data in DATA]
    assert re.findall(r'data-image="(\w+)"', shown) == [marks[i] for i in order]
    assert re.findall(r'data-nearest="(\w+)"', shown) == [marks[nearest[i]] for i in order]
    expected = [found.probabilities[i, found.truth[i]] for i in order]
    np.testing.assert_allclose(numbers(shown, "probability"), expected, atol=2e-4)


def test_the_notes_are_the_librarys(model, features):
    inputs = [prepare(read_image(data), 32, model.config.patch_size, "crop", model.preprocessing) for data in DATA]
    appearances = np.stack([classifier.appearance(one) for one in inputs])
    expected = classifier.notes_on(classifier.cross_validate(features, LABELS), appearances)
    assert expected
    assert placed(taught_page(), "teach_notes") == [escape_markdown(sentence) for sentence in expected]


def test_the_head_is_that_of_the_library(model, used):
    app = taught_page()
    app.button(key="teach_use").click().run()
    fine(app)
    (head,) = used
    expected = vitviz.fit_head(model, DATA, LABELS)
    assert (head.labels, head.counts, head.fingerprint) == (expected.labels, (COUNT, COUNT), expected.fingerprint)
    np.testing.assert_allclose(head.weight, expected.weight, atol=1e-3 * np.abs(expected.weight).max())
    assert head.correct == classifier.cross_validate(classifier.features(model, DATA), LABELS).correct
    assert "teach_leave" in [button.key for button in app.button]
    assert "teach_use" not in [button.key for button in app.button]


def test_a_head_whose_classes_have_changed_can_be_left_and_deleted():
    app = taught_page()
    fine(app.button(key="teach_use").click().run())
    assert query(app)["classes"] == "own"
    assert placed(app, "teach_held") is None, "it is the one that the page shows"
    give(app, 1, "one more.png", image(0, 99))
    fine(app.button(key="teach_leave_held").click().run())
    assert "classes" not in query(app)
    assert placed(app, "teach_held") is not None
    fine(app.button(key="teach_forget").click().run())
    assert placed(app, "teach_held") is None
    assert query(app)["model"] == "digits"


def test_the_probabilities_are_those_of_the_model_with_this_head(model):
    app = taught_page(image="digit-3")
    head = vitviz.fit_head(model, DATA, LABELS)
    trace = vitviz.load("digits", head=head).trace(state.samples()["digit-3"])
    expected = {one.label: one.probability for one in vitviz.analysis.predictions.predictions(trace)}
    shown = re.findall(r'data-class="(\w+)" data-probability="([\d.]+)"', html(app))
    assert dict(shown).keys() == expected.keys()
    for label, value in shown:
        assert float(value) == pytest.approx(expected[label], abs=1e-3)


def test_the_mean_maps_are_those_of_explain(model):
    app = taught_page()
    network = vitviz.load("digits", head=vitviz.fit_head(model, DATA, LABELS))
    chosen = SETS["bars"][: relevance.MOST]
    mean = np.mean([explain(network, data, method=relevance.METHOD, target="bars").map for data in chosen], axis=0)
    border, _ = relevance.ClassRelevance(mean, np.zeros((8, 8, 1), np.uint8), len(chosen)).border
    shown = html(app).partition('data-testid="relevance"')[2].partition("</div>")[0]
    assert numbers(shown, "border")[0] == pytest.approx(border, abs=0.01)


def test_the_border_of_a_map():
    flat = np.ones((16, 16), np.float32)
    inside = np.zeros((16, 16), np.float32)
    inside[6:10, 6:10] = 1
    for map_, share in ((flat, 1 - (12 / 16) ** 2), (inside, 0), (1 - inside, (256 - 144) / 240)):
        found, area = relevance.ClassRelevance(map_, np.zeros((8, 8, 3), np.uint8), 1).border
        assert found == pytest.approx(share)
        assert area == pytest.approx(1 - (12 / 16) ** 2)


def test_binary_heads_and_another_pooling(model, used):
    app = taught_page()
    app.toggle(key="teach_binary").set_value(True).run()
    app.button(key="teach_use").click().run()
    fine(app)
    assert used[-1].output_kind == "independent"
    app.selectbox(key="teach_pooling_digits").select("token+mean").run()
    app.button(key="teach_use").click().run()
    fine(app)
    assert used[-1].pooling == "token+mean"
    assert used[-1].weight.shape[1] == 2 * model.config.embed_dim


def test_no_feature_is_computed_twice(monkeypatch):
    cache.clear()
    computed, of_images = [], image_features._of_images

    def note(setup, model, inputs):
        computed.extend([setup.pooling] * len(inputs))
        return of_images(setup, model, inputs)

    monkeypatch.setattr(image_features, "_of_images", note)
    app = taught_page(image="digit-3")
    assert computed == ["token"] * (2 * COUNT + 1), "those of the classes, and the present image"
    app.toggle(key="teach_binary").set_value(True).run()
    give(app, 1, "one more.png", image(0, 99))
    assert computed == ["token"] * (2 * COUNT + 2)
    collected = collection.CLASSES.key
    app.session_state["settings"][collected] = app.session_state["settings"][collected][::-1]
    fine(app.run())
    assert len(computed) == 2 * COUNT + 2


def test_one_image_of_a_class_cannot_be_left_out():
    app = with_classes(page(), as_class(1, "one", DATA[:1]), as_class(2, "other", SETS["lines"]))
    assert placed(app, "teach_prediction") is not None
    assert placed(app, "teach_accuracy") is None
    assert "second image" in app.info[0].value


def test_images_of_one_series_are_left_out_together(features):
    series = {"bars": ["7", "7", "7", "8", "8", "8"], "lines": ["9", "9", "9", "9", "10", "10"]}
    app = with_classes(page(), *(as_class(i, name, SETS[name], series[name]) for i, name in enumerate(SETS, 1)))
    found = classifier.cross_validate(features, LABELS, groups=series["bars"] + series["lines"])
    assert found.folds == 4
    (said,) = placed(app, "teach_accuracy")
    assert f"4 folds: {found.correct} of {2 * COUNT}" in said


def test_a_class_of_one_series_is_said():
    app = with_classes(page(), as_class(1, "bars", SETS["bars"], ["7"] * COUNT), as_class(2, "lines", SETS["lines"]))
    assert placed(app, "teach_accuracy")[0].startswith("**Leave-one-out")
    assert any("one series" in sentence and "bars" in sentence for sentence in placed(app, "teach_notes"))


# ---------------------------------------------------------------- example and files


def test_crops_are_always_the_same_and_of_the_photograph():
    data = state.samples()["coffee"]
    first, second = example.crops(data), example.crops(data)
    assert len(first) == example.CROPS
    assert [crop.tobytes() for crop in first] == [crop.tobytes() for crop in second]
    assert len({crop.tobytes() for crop in first}) == example.CROPS
    assert example.title().startswith("Six photographs") == (len(example.photographs()) == 6)


def test_the_example_is_tested_on_crops_that_were_held_out(model, used):
    app = fine(page(source="example"))
    assert query(app)["source"] == "example"
    every = {name: example.crops(data) for name, data in example.photographs().items()}
    train = [crop for crops in every.values() for crop in crops[: example.FITTED]]
    test = [crop for crops in every.values() for crop in crops[example.FITTED :]]
    labels = np.repeat(list(every), example.FITTED).tolist()
    fitted = classifier.fit(classifier.features(model, train), labels)
    probabilities = fitted.probabilities(classifier.features(model, test))
    truth = np.repeat(list(every), example.CROPS - example.FITTED)
    correct = (np.array(fitted.classes)[probabilities.argmax(axis=1)] == truth).sum()
    assert f"Held-out crops: {correct} of {len(test)} correct" in placed(app, "teach_accuracy")[0]
    app.button(key="teach_use").click().run()
    assert used[-1].labels == tuple(sorted(every))
    assert used[-1].counts == (example.FITTED,) * len(every)


def test_a_head_is_kept_and_opened_again(tmp_path, used):
    head = vitviz.fit_head(vitviz.load("digits"), DATA, LABELS, name="kinds")
    head.save(tmp_path / "kinds.safetensors")
    app = page()
    app.button_group(key="teach_source").set_value("file").run()
    assert "source" not in query(app), "links contain no files"
    dropped(app, "teach_head_file", "kinds.safetensors", (tmp_path / "kinds.safetensors").read_bytes(), "")
    fine(app)
    assert "kinds" in placed(app, "teach_opened_head")[0]
    app.button(key="teach_use").click().run()
    assert used[-1].digest == head.digest == open_head(tmp_path / "kinds.safetensors").digest
    dropped(app, "teach_head_file", "broken.safetensors", b"nothing", "")
    assert len(app.error) == 1
    assert "kinds" in placed(app, "teach_opened_head")[0], "a refused file changes nothing"


@pytest.mark.exhaustive
def test_a_head_of_another_model_chooses_that_model(tmp_path):
    vitviz.fit_head(vitviz.load("dinov2-small"), DATA, LABELS).save(tmp_path / "a.safetensors")
    app = page()
    app.button_group(key="teach_source").set_value("file").run()
    dropped(app, "teach_head_file", "a.safetensors", (tmp_path / "a.safetensors").read_bytes(), "")
    assert "dinov2-small" in app.info[0].value.replace("\\", "")
    assert placed(app, "teach_prediction") is None
    fine(app.button(key="teach_use").click().run())
    assert query(app)["model"] == "dinov2-small"
    assert placed(app, "teach_prediction") is not None


@pytest.mark.parametrize("size", [4000, 33])
def test_a_head_of_an_impossible_size_is_refused_before_a_pass(size, tmp_path):
    head = vitviz.fit_head(vitviz.load("digits"), DATA, LABELS)
    head = replace(head, preprocessing=replace(head.preprocessing, size=size))
    head.save(tmp_path / "a.safetensors")
    app = page()
    app.button_group(key="teach_source").set_value("file").run()
    dropped(app, "teach_head_file", "a.safetensors", (tmp_path / "a.safetensors").read_bytes(), "")
    assert not app.exception
    assert str(size) in app.error[0].value
    assert placed(app, "teach_prediction") is None


def test_thumbnails_of_a_file_are_read_before_a_browser_sees_them():
    good, large = picture(20, "JPEG"), picture(300, "PNG")
    assert len(large) > taught_head.LARGEST_THUMBNAIL
    (found,) = taught_head._readable((b"<svg onload=1>", good, large))
    assert found.startswith(b"\xff\xd8")
