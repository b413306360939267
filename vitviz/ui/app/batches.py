"""Batches of forward passes that wait for the processor.

Several small passes take longer than one large one, most of all on a busy machine. So a thread that gets the processor
also runs the passes of threads that wait for it with the same model and input size. Nobody waits for a batch to fill: a
single user gets the processor at once, with a batch of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ...images import Prepared
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from .turns import Turns, one_at_a_time

MOST = 8  # images in a batch
TOKENS = 2304  # in a batch of several images; eight images at 224 px, and a single one at 518 px

Work = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(eq=False)
class _Request:
    """Request of a thread.

    Attributes:
        group: requests of one group can be merged.
        item: input.
        tokens: size of the input.
        alone: whether it must not be merged again, after a batch has failed.
        has_result: whether another thread has set the result.
        result: result for the item.
    """

    group: Hashable
    item: Any
    tokens: int
    alone: bool = False
    has_result: bool = False
    result: Any = None


class Batches:
    """Thread-safe queue of requests, merged while they wait for the lock of the processor.

    Args:
        turns: lock of the processor.
    """

    def __init__(self, turns: Turns):
        self._turns, self._lock = turns, threading.Lock()
        self._waiting: list[_Request] = []

    def run(self, group: Hashable, item: Any, tokens: int, work: Work) -> Any:
        """Return the result for an item, computed by this thread or together with the request of another one.

        If a batch fails, each of its items is computed alone, so that an error reaches only the thread whose item
        causes it. If the thread that computes a batch is stopped, the other threads compute their items.

        Args:
            group: items of one group can be computed together, by the `work` of any of their threads.
            item: input.
            tokens: size of the input; see `TOKENS`.
            work: function from a list of items to the list of their results.
        """
        mine = _Request(group, item, tokens)
        with self._lock:
            self._waiting.append(mine)
        try:
            with self._turns.first(unless=lambda: mine.has_result):
                if not mine.has_result:
                    self._compute(mine, work)
        finally:
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
        return mine.result

    def _compute(self, mine: _Request, work: Work) -> None:
        """Compute this request, and others with it."""
        others = self._take_others(mine)
        try:
            results = work([one.item for one in (mine, *others)])
        except Exception:
            if not others:
                raise
            self._put_back(others)
            results, others = work([mine.item]), []
        except BaseException:  # only this thread is to end
            self._put_back(others)
            raise
        for one, result in zip((mine, *others), results, strict=True):
            one.result, one.has_result = result, True

    def _take_others(self, mine: _Request) -> list[_Request]:
        """Remove the oldest requests that can be merged with this one, as many as a batch holds, and return them."""
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
            fitting = [one for one in self._waiting if one.group == mine.group and not one.alone and not mine.alone]
            others = fitting[: max(0, min(MOST, TOKENS // mine.tokens) - 1)]
            for one in others:
                self._waiting.remove(one)
            return others

    def _put_back(self, others: list[_Request]) -> None:
        with self._lock:
            for one in others:
                one.alone = True
            self._waiting[:0] = others


_passes = Batches(one_at_a_time)


def traced(model: VisionTransformer, name: Hashable, image: Prepared) -> Trace:
    """Return the trace of an image, with the highest priority; see `Turns.first`.

    Args:
        model: the model.
        name: identity of the model. Images of models with the same identity share forward passes.
        image: input of the model.
    """
    rows, columns = image.geometry.grid
    tokens = model.config.num_prefix_tokens + rows * columns
    return _passes.run((name, image.pixels.shape), image, tokens, model.trace_batch)
