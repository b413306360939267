"""Figures of the cache for whoever runs a server, at `/_stcore/metrics` beside Streamlit's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from streamlit.runtime.stats import CACHE_MEMORY_FAMILY, CacheStat, CounterStat, Stat

if TYPE_CHECKING:  # it imports PyTorch, for which the server's first page does not wait
    from ..cache import Cache

MADE_FAMILY = "vitviz_results_made"


class CacheStats:
    """Bytes that the results of each kind take, and how many were made; one that is made again counts again.

    Args:
        caches: whose results they are.
    """

    stats_families = (CACHE_MEMORY_FAMILY, MADE_FAMILY)

    def __init__(self, *caches: Cache):
        self.caches = caches

    def get_stats(self, family_names: Sequence[str] | None = None) -> Mapping[str, Sequence[Stat]]:
        """Figures by family, as `streamlit.runtime.stats.StatsProvider` has them."""
        sizes, counts = Counter(), Counter()
        for cache in self.caches:
            for total, of_cache in zip((sizes, counts), cache.figures(), strict=True):
                total.update(of_cache)
        found = {
            CACHE_MEMORY_FAMILY: [CacheStat("vitviz", kind, size) for kind, size in sizes.items()],
            MADE_FAMILY: [
                CounterStat(MADE_FAMILY, count, {"kind": kind}, help="Results computed, by kind.")
                for kind, count in counts.items()
            ],
        }
        return {family: found[family] for family in family_names or found if family in found}
