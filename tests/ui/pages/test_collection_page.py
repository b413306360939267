"""The page "Collection", without a browser: numbers of the scan, filters, and the chosen image on other pages."""

import json
import re
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.synthetic_scan import write_scan
from tests.support.app_pages import choice_of, opened, query, settings, texts
from vitviz.analysis.scan.queries.answers import Filter
from vitviz.notation.marks import percent
from vitviz.ui.app import cache, state
from vitviz.ui.widgets import selections

HOSTILE = "<img src=x onerror=alert(1)> **b** $x$ [a](http://x) \u202e" + "y" * 3000
SAMPLES = ("cat", "rocket", "coffee")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of scans, with a scan of samples."""
    source = tmp_path / "source"
    source.mkdir()
    images = {f"{name}.jpg": data for name, data in state.samples().items() if name in SAMPLES}
    for name, data in images.items():
        (source / name).write_bytes(data)
    folder = tmp_path / "runs"
    changes = {"model.name": "dinov2-small"}
    write_scan(
        folder / "photos",
        60,
        layers=2,
        heads=2,
        dimension=4,
        images=images,
        source=source,
        classes=("a", "b"),
        described=changes,
    )
    monkeypatch.setenv("VITVIZ_RUNS", str(folder))
    monkeypatch.setattr("vitviz.ui.app.scans.index_folder", lambda: tmp_path / "indexes")
    cache.clear()
    return folder


def collection(**parameters):
    app = opened("collection", **parameters)
    for _ in range(30):  # until the job has made the index
        if app.exception or app.error or "appear" not in texts(app.main):
            break
        app.run()
    return app


def fine(app):
    assert not app.exception
    assert not app.error
    return texts(app.main)


def table(runs):
    return pq.read_table(runs / "photos" / "images-00000.parquet").to_pandas()


def thumbnails(app, key):
    """Names of the images of a gallery."""
    (found,) = [one for one in app.get("bidi_component") if key in one.proto.id or one.key == key]
    return [item["name"] for item in json.loads(found.proto.json)["items"]]


def test_the_map_and_the_accuracy(runs):
    app = collection()
    said = fine(app)
    assert "60 images. First principal component" in said
    assert f"Accuracy: {percent(float(table(runs).correct.mean()))}" in said
    assert len(app.get("plotly_chart")) == 1
    assert query(app)["scan"] == "photos"


def test_a_filter_applies_to_all_sections(runs):
    app = collection()
    (box,) = [box for box in app.multiselect if box.label == "Labels"]
    box.set_value(["a"]).run()
    rows = table(runs)
    count = (rows.label == "a").sum()
    assert f"{count} images. First principal" in fine(app)
    app.button_group(key="collection_outcome").set_value("wrong").run()
    count = ((rows.label == "a") & ~rows.correct).sum()
    assert f"{count} image" in fine(app)
    app.button(key="collection_clear").click().run()
    assert "60 images. First principal" in fine(app)


def test_the_map_with_t_sne(runs):
    app = collection()
    app.button_group(key="collection_projection").set_value("tsne").run()
    for _ in range(50):
        if app.get("plotly_chart"):
            break
        app.run()
    assert "60 images. t-SNE" in fine(app)
    assert len(app.get("plotly_chart")) == 1


def test_every_section_opens_by_a_link(runs):
    assert "**Accuracy " in fine(collection(section="Confusion"))
    app = collection(section="Heads")
    fine(app)
    (box,) = [box for box in app.selectbox if box.label == "Layer"]
    box.set_value(1).run()
    assert "**Layer 2, head 1**" in fine(app)
    assert "**Far from all others**" in fine(collection(section="Odd images"))


def test_a_cell_of_the_confusion_matrix_has_its_images(runs):
    app = collection(section="Confusion")
    (box,) = [box for box in app.selectbox if box.label == "Most frequent mistakes"]
    rows = table(runs)
    label, prediction = box.options[0].partition(":")[0].split(" → ")
    box.set_value((label, prediction)).run()
    fine(app)
    (chosen,) = [value for name, value in settings(app).items() if name.startswith("collection_filter")]
    assert chosen == Filter(labels=(label,), predictions=(prediction,))
    count = ((rows.label == label) & (rows.prediction == prediction)).sum()
    assert re.search(rf"^{count} images?\.", texts(app.main), re.MULTILINE)


@pytest.mark.parametrize("page", ["explore", "explain", "intervene", "lens"])
def test_a_chosen_image_opens_on_another_page(page, runs):
    app = collection(position="1", model="digits", image="digit-4")
    assert "Image 1" in [one.value for one in app.subheader]
    app.button(key=f"collection_open_{page}").click().run()
    assert not app.exception
    choice = choice_of(app)
    name = table(runs).path[1]
    assert (choice.picked.name, choice.model, choice.size, choice.fit) == (name, "dinov2-small", 224, "crop")


def test_an_image_that_is_gone_is_said_in_a_sentence(runs, tmp_path):
    app = collection(position="0")
    (tmp_path / "source" / table(runs).path[0]).unlink()
    app.button(key="collection_open_explore").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert "no longer" in app.error[0].value
    assert choice_of(app).picked.sample


def test_nonsense_in_a_link_is_said(runs):
    fine(collection())  # the index is there
    app = opened("collection", scan="none", section="x", position="-1")
    assert not app.exception
    assert all(word in app.warning[0].value for word in ("scan “none”", "section “x”", "position “-1”"))
    assert "no image 999" in fine(collection(position="999"))


def test_hostile_names_are_shown_as_text(runs, tmp_path):
    write_scan(
        runs / "hostile",
        30,
        layers=1,
        heads=1,
        dimension=3,
        classes=(HOSTILE, "$b$"),
        images={HOSTILE: state.samples()["cat"]},
        described={"model.name": HOSTILE, "settings.fit": HOSTILE},
    )
    for section in ("Map", "Confusion", "Heads", "Odd images"):
        app = collection(scan="hostile", section=section, position="2")
        said = fine(app)
        assert "<img" not in said.replace("\\<", "")
        assert "\u202e" not in said
        assert "y" * 300 not in said
        for chart in app.get("plotly_chart"):
            assert "<img" not in chart.proto.spec
    app.button(key="collection_open_explore").click().run()
    assert not app.exception


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "run.json").write_text("{"),
        lambda folder: (folder / "run.json").write_text(json.dumps({"format": "vitviz-scan", "version": 9})),
        lambda folder: (folder / "images-00000.parquet").write_bytes(b"PAR1"),
        lambda folder: (folder / "images-00000.parquet").unlink(),
    ],
)
def test_a_broken_scan_is_one_sentence(spoil, runs):
    spoil(runs / "photos")
    app = collection()
    assert not app.exception
    assert len(app.error) == 1


def test_an_empty_folder_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("VITVIZ_RUNS", str(tmp_path / "none"))
    app = opened("collection")
    assert not app.exception
    assert "vitviz scan" in app.info[0].value


def test_a_point_is_inside_of_a_polygon_or_not():
    corners = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0))
    points = np.array([[0.5, 1.0], [2.0, 2.0], [3.5, 2.0], [-1.0, 1.0], [5.0, 1.0], [2.0, 0.5]])
    assert selections.inside(points, corners).tolist() == [True, False, True, False, False, True]


@pytest.mark.parametrize(
    ("sent", "area", "number"),
    [
        ({"selection": {"lasso": [{"x": [0, 1, 2], "y": [0, 1, 0]}]}}, ((0, 0), (1, 1), (2, 0)), None),
        ({"selection": {"box": [{"x": [0, 1], "y": [2, 3]}]}}, ((0, 2), (1, 2), (1, 3), (0, 3)), None),
        ({"selection": {"points": [{"customdata": [7]}]}}, (), 7),
        ({"selection": {"points": [{"customdata": -7}]}}, (), None),
        ({"selection": {"points": [{}, {}]}}, (), None),
        ({"selection": {"lasso": [{"x": [0, float("nan"), 2], "y": [0, 1, 0]}]}}, (), None),
        ({"selection": {"lasso": [{"x": "abc", "y": None}]}}, (), None),
        ({"selection": []}, (), None),
        (None, (), None),
    ],
)
def test_selections_of_browsers_are_checked(sent, area, number, monkeypatch):
    monkeypatch.setattr("streamlit.session_state", {"map": sent})
    assert selections.area("map") == area
    assert selections.clicked("map") == number


def test_missing_packages_are_said_in_a_sentence(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    app = opened("collection")
    assert not app.exception
    assert "duckdb" in app.error[0].value
    assert not opened("explore").exception
