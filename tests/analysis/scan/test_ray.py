"""A scan on a Ray cluster of several workers, one of which is killed, has the rows of a scan in one process."""

import os

import psutil
import pytest

import vitviz
from tests.support.facts import assert_mentions
from tests.support.scans import NOT_AN_IMAGE, rows_of, write_images
from vitviz.analysis.scan.plan import plan_scan
from vitviz.analysis.scan.ray_engine import ray_engine, resources_of

pytestmark = pytest.mark.slow

COUNT, SIZE, ACTORS = 100, 4, 2


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")  # here, because each process that runs tests imports this module
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=ACTORS, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    yield
    ray.shutdown()


def actors() -> set[int]:
    """Process ids of the actors that the test's own cluster runs."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if "MapWorker" in " ".join(process.cmdline()):
                found.add(process.pid)
        except psutil.Error:  # it has ended
            continue
    return found


def assert_same_rows(ones, others):
    (images, tokens, errors), (other_images, other_tokens, other_errors) = ones, others
    assert errors.equals(other_errors)
    assert images.schema == other_images.schema
    for ours, theirs in ((images, other_images), (tokens, other_tokens)):
        assert len(ours) == len(theirs) > 0
        for name in ours.schema.names:
            for one, other in zip(ours[name].to_pylist(), theirs[name].to_pylist(), strict=True):
                if name in ("class_map", "tokens"):
                    assert len(one) == len(other)
                elif isinstance(one, list | float) and name != "top5":
                    assert one == pytest.approx(other, rel=1e-3, abs=1e-4), name
                else:
                    assert one == other, name


def test_a_cluster_with_a_process_that_is_killed(cluster, tmp_path):
    write_images(tmp_path / "photos", COUNT)
    for i in (5, 70):
        (tmp_path / "photos" / f"{i}.png").write_bytes(NOT_AN_IMAGE)
    model = vitviz.load("digits")
    options = {"shard_size": SIZE, "patch_tokens": [0]}
    embedded = vitviz.scan(tmp_path / "photos", model, tmp_path / "embedded", **options)
    plan = plan_scan(str(tmp_path / "photos"), model, str(tmp_path / "run"), **options)
    numbers, seen, killed = [], set(), None
    for shard in plan.run(ray_engine(ACTORS), lambda done, count: None):
        numbers.append(shard.number)
        seen |= actors()
        if killed is None and len(numbers) >= 3:
            killed = min(actors())
            psutil.Process(killed).kill()
    assert killed is not None
    assert len(seen) >= ACTORS
    assert sorted(numbers) == list(range(COUNT // SIZE)), "each shard is reported once"
    scan = vitviz.open_scan(tmp_path / "run")
    assert scan.is_complete
    assert_same_rows(rows_of(scan), rows_of(embedded))
    assert not list((tmp_path / "run").glob(".*")), "what the process had begun is gone"


@pytest.mark.exhaustive
def test_a_problem_in_the_cluster_is_one_sentence(cluster, tmp_path):
    (tmp_path / "list.csv").write_text("path\n" + "\n".join(f"{i}.png" for i in range(8)))
    with pytest.raises(vitviz.ScanError) as refused:
        vitviz.scan(
            tmp_path / "list.csv", vitviz.load("digits"), tmp_path / "run", engine="ray", actors=1, shard_size=4
        )
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("cluster_has", "actors", "num_gpus", "resources", "count"),
    [
        ({"CPU": 2.0}, None, 0, {"num_cpus": 2}, 1),
        ({"CPU": 64.0}, None, 0, {"num_cpus": 4}, 16),
        ({"CPU": 64.0, "GPU": 8.0}, 4, 0, {"num_cpus": 16}, 4),
        ({"CPU": 64.0, "GPU": 8.0}, None, 1, {"num_gpus": 1, "num_cpus": 8}, 8),
        ({"CPU": 64.0, "GPU": 8.0}, None, 0.5, {"num_gpus": 0.5, "num_cpus": 4}, 16),
        ({"CPU": 4.0, "GPU": 8.0}, 8, 1, {"num_gpus": 1, "num_cpus": 1}, 8),
    ],
)
def test_actors_share_what_the_cluster_has(cluster_has, actors, num_gpus, resources, count):
    assert resources_of(cluster_has, actors, num_gpus) == (resources, count)


@pytest.mark.parametrize(("cluster_has", "actors"), [({"CPU": 64.0}, None), ({"CPU": 64.0, "GPU": 2.0}, 3)])
def test_too_few_gpus_are_refused(cluster_has, actors):
    with pytest.raises(vitviz.ScanError) as refused:
        resources_of(cluster_has, actors, 1)
    assert_mentions(str(refused.value), "GPU", "num_gpus")
