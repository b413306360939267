"""Cache metrics for server operators, at `/_stcore/metrics`, together with those of Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from streamlit.runtime.stats import CACHE_MEMORY_FAMILY, CacheStat, CounterStat, Stat

if TYPE_CHECKING:  # imports PyTorch, which the first page must not wait for
    from ..cache import Cache

MADE_FAMILY = "vitviz_results_made"


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
        return {name: families[name] for name in family_names or families if name in families}
