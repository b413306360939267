"""Cache of models in memory, shared by all threads, with least-recently-used eviction."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

from ..notation import variables
from ..trace.vision_transformer import VisionTransformer


def max_models() -> int:
    """Maximum number of models in memory: the environment variable VITVIZ_MAX_MODELS.

    Raises:
        ModelError: if the variable is not an integer of at least 1.
    """
    return variables.MAX_MODELS.value()


class ModelCache:
    """Cache of the most recently used models.

    Threads that request the same model wait until one of them has loaded it. Requests for other models do not wait.

    Args:
        limit: function that returns the maximum number of models.
    """

    def __init__(self, limit: Callable[[], int]):
        self._limit = limit
        self._lock = threading.Lock()  # not held while a model is being loaded
        self._models: OrderedDict[str, Future[VisionTransformer]] = OrderedDict()

    def get(self, name: str, load: Callable[[], VisionTransformer]) -> VisionTransformer:
        """Return the model of this name; call `load` if it is not in the cache.

        Raises:
            ModelError: the error raised by `load`, in each waiting thread; errors are not cached.
        """
        limit = self._limit()
        while True:
            with self._lock:
                model = self._models.get(name)
                is_new = model is None
                if is_new:
                    model = self._models[name] = Future()
                self._models.move_to_end(name)
            if is_new:
                self._load(name, model, load, limit)
            try:
                return model.result()
            except CancelledError:  # the loading thread was interrupted; try again in this thread
                continue

    def names(self) -> tuple[str, ...]:
        """Names of the cached models, least recently used first."""
        with self._lock:
            return tuple(name for name, model in self._models.items() if model.done())

    def holds(self, model: VisionTransformer) -> bool:
        """Return whether this object is one of the cached models."""
        with self._lock:
            loaded = [found for found in self._models.values() if found.done() and not found.cancelled()]
        return any(found.exception() is None and found.result() is model for found in loaded)

    def _load(
        self, name: str, model: "Future[VisionTransformer]", load: Callable[[], VisionTransformer], limit: int
    ) -> None:
        try:
            loaded = load()
        except BaseException as error:
            with self._lock:
                del self._models[name]
            if isinstance(error, Exception):
                model.set_exception(error)
                return
            model.cancel()  # the interruption of one thread, such as by a user closing the page, must not reach others
            raise
        with self._lock:
            model.set_result(loaded)
            done = [other for other, found in self._models.items() if found.done()]
            for other in done[: max(0, len(done) - limit)]:
                del self._models[other]
