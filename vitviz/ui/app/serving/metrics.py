"""Metrics of the cache, jobs and forward passes, at `/_stcore/metrics`, together with those of Streamlit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from streamlit.runtime.stats import CACHE_MEMORY_FAMILY, CacheStat, CounterStat, GaugeStat, HistogramStat, Stat

from ..histogram import Histogram

if TYPE_CHECKING:  # imports PyTorch, which the first page must not wait for
    from ..cache import Cache
    from ..jobs.queue import Jobs

MADE_FAMILY = "vitviz_results_made"
JOBS_FAMILY = "vitviz_jobs"
ENDED_FAMILY = "vitviz_jobs_ended"
JOB_SECONDS_FAMILY = "vitviz_job_seconds"
PASS_SECONDS_FAMILY = "vitviz_forward_pass_seconds"
PASS_IMAGES_FAMILY = "vitviz_forward_pass_images"
PASS_BOUNDS = (0.03, 0.1, 0.3, 1, 3, 10)  # seconds


class CacheStats:
    """Bytes of the stored results and number of computed results, by kind. Repeated computations count again.

    Args:
        caches: caches to report.
    """

    stats_families = (CACHE_MEMORY_FAMILY, MADE_FAMILY)

    def __init__(self, *caches: Cache):
        self.caches = caches

    def get_stats(self, family_names: Sequence[str] | None = None) -> Mapping[str, Sequence[Stat]]:
        """Return metrics by family; see `streamlit.runtime.stats.StatsProvider`."""
        sizes, counts = Counter(), Counter()
        for cache in self.caches:
            for total, of_cache in zip((sizes, counts), cache.figures(), strict=True):
                total.update(of_cache)
        families = {
            CACHE_MEMORY_FAMILY: [CacheStat("vitviz", kind, size) for kind, size in sizes.items()],
            MADE_FAMILY: [
                CounterStat(MADE_FAMILY, count, {"kind": kind}, help="Results computed, by kind.")
                for kind, count in counts.items()
            ],
        }
        return _chosen(families, family_names)


class JobStats:
    """Numbers of jobs by state, and of ended jobs by kind and outcome, and their durations by kind.

    Args:
        queues: function that returns the job queues to report, whose kinds of jobs differ.
    """

    stats_families = (JOBS_FAMILY, ENDED_FAMILY, JOB_SECONDS_FAMILY)

    def __init__(self, queues: Callable[[], Iterable[Jobs]]):
        self.queues = queues

    def get_stats(self, family_names: Sequence[str] | None = None) -> Mapping[str, Sequence[Stat]]:
        """Return metrics by family; see `streamlit.runtime.stats.StatsProvider`."""
        figures = [queue.figures() for queue in self.queues()]
        states = {"queued": sum(one.queued for one in figures), "running": sum(one.running for one in figures)}
        ended = sum((Counter(one.ended) for one in figures), Counter())
        seconds = {kind: histogram for one in figures for kind, histogram in one.seconds.items()}
        families = {
            JOBS_FAMILY: [
                GaugeStat(JOBS_FAMILY, count, {"state": state}, help="Jobs, by state.")
                for state, count in states.items()
            ],
            ENDED_FAMILY: [
                CounterStat(ENDED_FAMILY, count, {"kind": kind, "outcome": outcome}, help="Jobs that have ended.")
                for (kind, outcome), count in ended.items()
            ],
            JOB_SECONDS_FAMILY: [
                _histogram(JOB_SECONDS_FAMILY, histogram, "Durations of jobs, by kind.", {"kind": kind})
                for kind, histogram in seconds.items()
            ],
        }
        return _chosen(families, family_names)


class PassStats:
    """Number and durations of forward passes, and the number of images in them. Thread-safe."""

    stats_families = (PASS_SECONDS_FAMILY, PASS_IMAGES_FAMILY)

    def __init__(self):
        self._seconds = Histogram(*PASS_BOUNDS)
        self._images = 0
        self._lock = threading.Lock()

    def note(self, images: int, seconds: float) -> None:
        """Add a forward pass; see `vitviz.model.timing.observe`."""
        self._seconds.note(seconds)
        with self._lock:
            self._images += images

    def get_stats(self, family_names: Sequence[str] | None = None) -> Mapping[str, Sequence[Stat]]:
        """Return metrics by family; see `streamlit.runtime.stats.StatsProvider`."""
        about = "Images in forward passes, which may be passed in batches."
        families = {
            PASS_SECONDS_FAMILY: [_histogram(PASS_SECONDS_FAMILY, self._seconds, "Durations of forward passes.")],
            PASS_IMAGES_FAMILY: [CounterStat(PASS_IMAGES_FAMILY, self._images, help=about)],
        }
        return _chosen(families, family_names)


def _histogram(family: str, histogram: Histogram, about: str, labels: dict[str, str] | None = None) -> HistogramStat:
    buckets, seconds = histogram.figures()
    return HistogramStat(family, tuple(buckets), seconds, buckets[-1][1], labels, "seconds", about)


def _chosen(families: Mapping[str, Sequence[Stat]], names: Sequence[str] | None) -> Mapping[str, Sequence[Stat]]:
    return {name: families[name] for name in names or families if name in families}
