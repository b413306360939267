"""Other patch sizes for the task to count patches again."""

from __future__ import annotations

from ...errors.arguments import typed
from ...trace.trace import Trace
from ..sequence import SequenceSizes, sequence_sizes

NEAR = 4  # largest ratio of two patch sizes


@typed
def own_size(trace: Trace) -> SequenceSizes:
    """Return the sequence sizes of a trace."""
    return _sizes(trace, trace.config.patch_size)


@typed
def other_sizes(trace: Trace) -> tuple[SequenceSizes, ...]:
    """Return the sequence sizes for other patch sizes that divide height and width, from small to large patches.

    The sides are within a factor of 4 of the model's, if there are any such sides.
    """
    side = trace.config.patch_size
    height, width = (count * side for count in trace.grid)
    fit = [one for one in range(1, min(height, width) + 1) if one != side and height % one == width % one == 0]
    near = [one for one in fit if side <= NEAR * one and one <= NEAR * side]
    return tuple(_sizes(trace, one) for one in near or fit)


def _sizes(trace: Trace, side: int) -> SequenceSizes:
    config = trace.config
    height, width = (count * config.patch_size for count in trace.grid)
    return sequence_sizes(height, width, side, config.in_chans, config.embed_dim, trace.prefix)
