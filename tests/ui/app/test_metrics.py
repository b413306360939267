"""Metrics of jobs and forward passes, in the format of Streamlit's endpoint."""

import threading
from contextlib import nullcontext

from streamlit.web.server.starlette.starlette_routes import _stats_to_proto, _stats_to_text

from vitviz.ui.app.histogram import Histogram
from vitviz.ui.app.jobs.queue import Jobs
from vitviz.ui.app.serving.metrics import JobStats, PassStats


def lines(provider):
    """The lines of the endpoint for the metrics of a provider, without comments."""
    stats = provider.get_stats()
    _stats_to_proto(stats)  # the other format that the endpoint offers
    return {line for line in _stats_to_text(stats).splitlines() if not line.startswith("#")}


def test_a_histogram_counts_durations_up_to_each_bound():
    histogram = Histogram(1, 10)
    for seconds in (0.5, 1, 5, 100):
        histogram.note(seconds)
    assert histogram.figures() == (((1, 2), (10, 3), (float("inf"), 4)), 106.5)


def test_jobs_are_counted_by_state_and_by_outcome():
    go, begun = threading.Event(), threading.Event()
    jobs = Jobs(1, patience=1000, is_connected=lambda _: True, turn=nullcontext)
    stats = JobStats(lambda: [jobs])

    def wait(_):
        begun.set()
        assert go.wait(60)

    first = jobs.join(("sweep", "secret digest"), wait, ("me", "here"))
    second = jobs.join(("map", "a"), lambda report: 1 / 0, ("me", "here"))
    third = jobs.join(("map", "b"), lambda report: None, ("you", "here"))
    assert begun.wait(60)
    assert {'vitviz_jobs{state="queued"} 2', 'vitviz_jobs{state="running"} 1'} <= lines(stats)
    third.leave(("you", "here"))
    assert 'vitviz_jobs{state="queued"} 1' in lines(stats), "nobody waits for the other"
    go.set()
    assert all(job.watch(60) for job in (first, second, third))
    found = lines(stats)
    assert {
        'vitviz_jobs{state="queued"} 0',
        'vitviz_jobs{state="running"} 0',
        'vitviz_jobs_ended_total{kind="sweep",outcome="finished"} 1',
        'vitviz_jobs_ended_total{kind="map",outcome="failed"} 1',
        'vitviz_jobs_ended_total{kind="map",outcome="abandoned"} 1',
        'vitviz_job_seconds_count{kind="sweep"} 1',
        'vitviz_job_seconds_count{kind="map"} 2',
    } <= found
    (seconds,) = [line for line in found if line.startswith('vitviz_job_seconds_sum{kind="sweep"}')]
    assert float(seconds.split()[-1]) > 0
    assert not [line for line in found if "digest" in line]


def test_without_queues_there_are_no_jobs():
    assert lines(JobStats(list)) == {'vitviz_jobs{state="queued"} 0', 'vitviz_jobs{state="running"} 0'}


def test_forward_passes_are_counted_with_their_images():
    stats = PassStats()
    threads = [threading.Thread(target=lambda: [stats.note(4, 0.05) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(stats)
    assert {
        "vitviz_forward_pass_seconds_count 4000",
        "vitviz_forward_pass_images_total 16000",
        'vitviz_forward_pass_seconds_bucket{le="0.03"} 0',
        'vitviz_forward_pass_seconds_bucket{le="0.1"} 4000',
    } <= found


def test_only_the_families_that_are_asked_for():
    stats = PassStats()
    assert list(stats.get_stats(["vitviz_forward_pass_images", "others"])) == ["vitviz_forward_pass_images"]
    assert set(stats.get_stats()) == set(stats.stats_families)
    assert set(JobStats(list).get_stats()) == set(JobStats.stats_families)
