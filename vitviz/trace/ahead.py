"""Work on the next items of a stream in threads, while the caller still works on the ones before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    ahead: int,
    at_once: Callable[[Item], bool] = lambda _: False,
) -> Iterator[Future[Result]]:
    """Apply a function to items in threads, and yield a finished or unfinished future for each, in order.

    Items are taken from the iterable in the caller's thread, never more than `ahead` before they are asked for. If the
    iterable raises an exception, the last future has it. When the iterator is closed, the threads end with the items
    that they work on.

    Args:
        function: function of an item; may run in several threads at once.
        items: items, maybe without end.
        workers: number of threads.
        ahead: largest number of items that are worked on, or finished and not yet taken; at least 1.
        at_once: returns True for items to which the function is applied in the caller's thread, before the next item is
            taken.
    """
    iterator, pending, is_open = iter(items), deque[Future[Result]](), True
    pool = ThreadPoolExecutor(workers, thread_name_prefix="vitviz-ahead")
    try:
        while True:
            while is_open and len(pending) < ahead:
                try:
                    item = next(iterator)
                except StopIteration:
                    is_open = False
                except Exception as error:
                    is_open = False
                    pending.append(_failed(error))
                else:
                    pending.append(_done(function, item) if at_once(item) else pool.submit(function, item))
                    del item  # it may be large, and this frame waits for long
            if not pending:
                return
            yield pending.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def _done(function: Callable[[Item], Result], item: Item) -> Future[Result]:
    future: Future[Result] = Future()
    try:
        future.set_result(function(item))
    except Exception as error:
        future.set_exception(error)
    return future


def _failed(error: Exception) -> Future:
    future: Future = Future()
    future.set_exception(error)
    return future
