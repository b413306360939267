"""Queries of a scan, with and without an index, against the same numbers from numpy."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.synthetic_scan import write_scan
from vitviz.analysis.scan.queries import answers, index
from vitviz.analysis.scan.queries.answers import Filter
from vitviz.analysis.scan.queries.ends import head_ends
from vitviz.analysis.scan.queries.neighbours import neighbours
from vitviz.analysis.scan.queries.scan_run import open_run
from vitviz.errors import ArgumentError, ScanError, VitvizError

COUNT, LAYERS, HEADS, DIMENSION = 500, 3, 2, 16
CLASSES = ("ant", "bee", "cow")
HOSTILE = "</script><b>x</b>'; DROP TABLE images; --"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_scan(
        tmp_path_factory.mktemp("scans") / "small",
        COUNT,
        layers=LAYERS,
        heads=HEADS,
        dimension=DIMENSION,
        classes=CLASSES,
        shard=200,
    )


@pytest.fixture(scope="module")
def run(written):
    return open_run(written)


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    return index.make_index(run, tmp_path_factory.mktemp("indexes"))


@pytest.fixture(scope="module")
def table(run):
    return pa.concat_tables([pq.read_table(file) for file in run.shards]).to_pandas()


@pytest.fixture(params=["tables", "index"])
def source(request, made):
    return made if request.param == "index" else None


def test_counts_and_accuracy(run, source, table):
    found = answers.overview(run, source, Filter())
    assert (found.count, found.judged, found.correct) == (COUNT, COUNT, table.correct.sum())
    assert found.accuracy == pytest.approx(table.correct.mean())
    wrong = answers.overview(run, source, Filter(labels=("bee",), correct=False))
    assert wrong.count == ((table.label == "bee") & ~table.correct).sum()
    assert answers.overview(run, source, Filter(labels=("none",))).accuracy is None


def test_ranges_of_statistics(run, source, table):
    means = np.array([values.mean() for values in table.entropy])
    low, high = np.quantile(means, [0.2, 0.5])
    found = answers.listed(run, source, Filter(predictions=("ant", "cow"), ranges=(("entropy", low, high),)))
    wanted = table.position[(means >= low) & (means <= high) & table.prediction.isin(["ant", "cow"])]
    assert set(found) == set(wanted[:200])


def test_confusion_matrix(run, source, table):
    found = answers.confusion(run, source, Filter())
    assert found.labels == CLASSES
    for i, label in enumerate(CLASSES):
        for j, prediction in enumerate(CLASSES):
            assert found.counts[i, j] == ((table.label == label) & (table.prediction == prediction)).sum()
    few = answers.confusion(run, source, Filter(), most=2)
    assert few.counts.sum() + few.left_out == COUNT
    assert len(few.labels) == 2


def test_the_surest_mistakes_come_first(run, source, table):
    found = answers.listed(run, source, Filter(), "surest mistakes")
    wrong = table[~table.correct]
    sure = wrong.position.to_numpy()[np.argsort([-shares[0] for shares in wrong.top5_probability], kind="stable")]
    np.testing.assert_array_equal(found[: len(sure)], sure[:200])


def test_the_map_shows_principal_components(run, made, table):
    found = answers.points(run, made, Filter(), "entropy")
    features = np.stack(table.feature).astype(np.float64)
    centred = features - features.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(found.xy), np.abs(centred @ axes[:2].T), atol=1e-3)
    np.testing.assert_allclose(made.explained, sizes[:2] ** 2 / (sizes**2).sum(), rtol=1e-3)
    np.testing.assert_allclose(found.colour, [values.mean() for values in table.entropy], rtol=1e-5)


def test_a_sample_of_the_map_is_stable(run, made):
    few = answers.points(run, made, Filter(), "label", most=100)
    assert few.of == COUNT
    assert 40 < len(few.position) < 200
    of_ants = answers.points(run, made, Filter(labels=("ant",)), "label", most=100)
    ants = few.position[few.colour == "ant"]
    assert set(ants) <= set(of_ants.position), "a narrower filter shows the same images and more"
    assert set(of_ants.colour) == {"ant"}


def test_a_lasso_selects_what_is_inside_of_it(run, made):
    found = answers.points(run, made, Filter(), "label")
    star = [(0.0, 6.0), (2.0, -5.0), (-5.0, 2.0), (5.0, 2.0), (-2.0, -5.0)]  # crosses itself
    inside = set(answers.listed(run, made, Filter(area=tuple(star)), most=COUNT))

    def is_inside(x, y):
        odd = False
        for (x1, y1), (x2, y2) in zip(star, star[1:] + star[:1], strict=True):
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                odd = not odd
        return odd

    wanted = {at for at, (x, y) in zip(found.position, found.xy.astype(float), strict=True) if is_inside(x, y)}
    assert inside == wanted
    assert 0 < len(wanted) < COUNT


def test_habits_are_the_quantiles_of_all_images(made, table):
    values = np.stack(table.distance).reshape(COUNT, LAYERS, HEADS)
    habits = made.habits["distance"]
    assert habits.images == COUNT
    for share in (0.01, 0.5, 0.99):
        below = (values <= habits.quantile(share)).mean(axis=0)
        np.testing.assert_allclose(below, share, atol=0.01)
    assert "to_registers" not in made.habits, "this model has none"


def test_images_at_both_ends_of_a_head(run, table):
    values = np.array([entropies[1 * HEADS + 1] for entropies in table.entropy])
    found = head_ends(run, "entropy", 1, 1, 5)
    np.testing.assert_array_equal(found.lowest, np.argsort(values)[:5])
    np.testing.assert_array_equal(found.highest, np.argsort(-values)[:5])
    np.testing.assert_allclose(found.highest_values, np.sort(values)[::-1][:5])


def test_neighbours_by_cosine(run, table):
    features = np.stack(table.feature).astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    cosines = features @ features[7]
    cosines[7] = -2
    found = neighbours(run, 7, 6)
    np.testing.assert_array_equal(found.positions, np.argsort(-cosines)[:6])
    np.testing.assert_allclose(found.cosines, np.sort(cosines)[::-1][:6], atol=1e-6)
    assert found.of == COUNT - 1


def test_isolation_is_the_distance_to_the_nearest_images(run, made, table):
    features = np.stack(table.feature).astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    distances = np.sort(1 - features @ features.T, axis=1)[:, 1 : 1 + index.NEIGHBOURS].mean(axis=1)
    most = answers.listed(run, made, Filter(), "isolation")
    np.testing.assert_array_equal(most[:5], np.argsort(-distances)[:5])
    np.testing.assert_allclose(answers.statistics(run, made, [3, 1], "isolation"), distances[[3, 1]], atol=1e-5)
    with pytest.raises(ArgumentError, match="index"):
        answers.listed(run, None, Filter(), "isolation")


def test_images_come_in_the_given_order(run, table):
    found = answers.images(run, [450, 3, 9999, 201], "path", "thumbnail")
    assert [row["position"] for row in found] == [450, 3, 201]
    assert [row["path"] for row in found] == list(table.path[[450, 3, 201]])


def test_names_are_values_and_never_sql(tmp_path):
    run = open_run(write_scan(tmp_path / "scan", 50, layers=1, heads=1, dimension=4, classes=(HOSTILE, "b")))
    assert answers.names_of(run, None, "label", 5) == sorted([HOSTILE, "b"])
    count = answers.overview(run, None, Filter(labels=(HOSTILE,))).count
    assert 0 < count < 50
    with pytest.raises(ArgumentError):
        answers.overview(run, None, Filter(ranges=((HOSTILE, 0, 1),)))


def test_models_without_classes_and_statistics(tmp_path):
    run = open_run(write_scan(tmp_path / "scan", 30, layers=1, heads=2, dimension=1, classes=()))
    made = index.make_index(run, tmp_path / "indexes")
    assert answers.overview(run, made, Filter()).accuracy is None
    assert answers.names_of(run, made, "label", 5) == []
    assert "probability" not in answers.limits(run, made)
    assert answers.confusion(run, made, Filter()).labels == ()
    assert len(answers.points(run, made, Filter(), "label").position) == 30


def test_an_index_is_found_again_until_the_scan_changes(run, made, tmp_path, written):
    folder = made.file.parents[1]
    again = index.open_index(run, folder)
    np.testing.assert_array_equal(again.habits["entropy"].counts, made.habits["entropy"].counts)
    assert index.open_index(replace(run, digest="other"), folder) is None
    (folder / f"{run.digest}-{index.VERSION}" / index.HABITS).write_bytes(b"broken")
    assert index.open_index(run, folder) is None


def test_indexes_are_bounded_in_bytes(run, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "MOST_BYTES", 1)
    index.make_index(replace(run, digest="old"), tmp_path)
    index.make_index(replace(run, digest="new"), tmp_path)
    assert [place.name for place in tmp_path.iterdir()] == [f"new-{index.VERSION}"]


def test_a_job_can_stop(run, tmp_path):
    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.make_index(run, tmp_path, stop)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "described",
    [
        {"format": "other"},
        {"version": 2},
        {"version": "1"},
        {"model": None},
        {"model": {"name": 3}},
        {"model.layers": 0},
        {"model.layers": "12"},
        {"model.heads": 10**9},
        {"model.name": None},
        {"settings.size": [224]},
        {"settings.size": [224, "x"]},
        {"settings": []},
    ],
    ids=str,
)
def test_a_wrong_description_is_refused_in_a_sentence(described, tmp_path):
    folder = write_scan(tmp_path / "scan", 5, layers=1, heads=1, dimension=4, described=described)
    with pytest.raises(ScanError):
        open_run(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, '{"format": NaN}'], ids=lambda text: text[:9])
def test_run_json_may_be_anything(text, tmp_path):
    folder = write_scan(tmp_path / "scan", 5, layers=1, heads=1, dimension=4)
    (folder / "run.json").write_text(text)
    with pytest.raises(ScanError):
        open_run(folder)


def test_wrong_tables_are_refused_in_a_sentence(tmp_path):
    folder = write_scan(tmp_path / "scan", 50, layers=2, heads=1, dimension=4, shard=20)
    shard = folder / "images-00000.parquet"
    table = pq.read_table(shard)
    pq.write_table(table.drop_columns("thumbnail"), shard)
    with pytest.raises(ScanError, match="thumbnail"):
        open_run(folder)
    wrong = table.set_column(table.column_names.index("position"), "position", [["x"] * len(table)])
    pq.write_table(wrong, shard)
    with pytest.raises(ScanError, match="position"):
        open_run(folder)
    shard.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(ScanError):
        open_run(folder)
    pq.write_table(table, shard)
    later = folder / "images-00002.parquet"
    later.write_bytes(later.read_bytes()[:-100])
    run = open_run(folder)
    with pytest.raises(ScanError):
        answers.overview(run, None, Filter())
    later.unlink()
    for path in folder.glob("*.parquet"):
        path.unlink()
    with pytest.raises(ScanError, match="no images"):
        open_run(folder)


def test_a_description_may_lie_about_the_tables(tmp_path):
    changed = {"model.layers": 7, "model.feature_dim": 3, "source.count": -5, "label_names": 7}
    run = open_run(write_scan(tmp_path / "scan", 50, layers=2, heads=1, dimension=4, described=changed))
    for ask in (
        lambda: index.make_index(run, tmp_path / "indexes"),
        lambda: neighbours(run, 0, 3),
        lambda: neighbours(run, 77, 3),
    ):
        with pytest.raises(VitvizError):
            ask()
    assert head_ends(run, "entropy", 6, 0, 3).lowest.size == 0


def test_nulls_and_numbers_that_are_not_finite(tmp_path):
    folder = write_scan(tmp_path / "scan", 60, layers=2, heads=1, dimension=4, shard=60)
    shard = folder / "images-00000.parquet"
    table = pq.read_table(shard)
    for name, value in {"entropy": [float("nan")] * 2, "feature": [float("inf")] * 4, "label": None}.items():
        at = table.column_names.index(name)
        column = [value if row < 10 else one for row, one in enumerate(table[name].to_pylist())]
        table = table.set_column(at, name, pa.array(column, table[name].type))
    pq.write_table(table, shard)
    run = open_run(folder)
    made = index.make_index(run, tmp_path / "indexes")
    assert made.habits["entropy"].images == 50
    assert all(np.isfinite(answers.limits(run, made)["entropy"]))
    assert answers.listed(run, made, Filter(), "isolation")[0] >= 10
    assert len(answers.points(run, made, Filter(), "entropy").position) == 60
    with pytest.raises(ScanError):
        neighbours(run, 0, 3)
    json.dumps(answers.statistics(run, made, [0, 20], "entropy"), allow_nan=False)


def test_features_come_in_the_given_order(run, table):
    found = answers.features(run, [450, 3, 9999])
    np.testing.assert_array_equal(found[:2], np.stack(table.feature[[450, 3]]))
    assert np.isnan(found[2]).all()


def test_a_list_of_positions_is_a_filter(run, source):
    assert answers.listed(run, source, Filter(positions=(7, 3, 9999))).tolist() == [3, 7]
    assert answers.overview(run, source, Filter(positions=())).count == 0
