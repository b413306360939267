"""One image before and after, and what shows both beside each other."""

from __future__ import annotations

from dataclasses import dataclass

from ....model.edits import Edit
from ....notation.view import View
from ....trace.trace import Trace

STYLE = """<style>
.vv-pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0.8rem; max-width: 44rem; }
.vv-pair figure { margin: 0; font-size: 0.85rem; line-height: 1.4; }
.vv-pair.vv-three { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); max-width: none; }
.vv-pair img { display: block; width: 100%; border-radius: 4px; }
.vv-pair .pixels { image-rendering: pixelated; }
.vv-pair b { font-variant-numeric: tabular-nums; }
.vv-scale { display: flex; align-items: center; gap: 0.4rem; font-size: 0.75rem; margin: 0.3rem 0 0.1rem; }
.vv-scale span { opacity: 0.85; white-space: nowrap; }
.vv-pair .vv-scale img { flex: 1; width: 0; min-width: 2rem; height: 0.6rem; border-radius: 0.2rem; }
</style>"""


@dataclass(frozen=True, eq=False)
class Pair:
    """One image before and after.

    Attributes:
        before, after: the two passes.
        edits: what differs between them.
        view: which layer, head and token are shown.
    """

    before: Trace
    after: Trace
    edits: tuple[Edit, ...]
    view: View

    @property
    def layer(self) -> int:
        """The layer whose tokens are shown: the last one, if the pooling is looked at."""
        return min(self.view.layer, self.before.layers - 1)
