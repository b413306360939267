"""Models in memory that many threads share: a few stay, and the least recently used goes."""

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

from ..errors import ModelError
from ..errors.arguments import shown
from ..trace.vision_transformer import VisionTransformer

VARIABLE = "VITVIZ_MAX_MODELS"


def max_models() -> int:
    """How many models stay loaded: VITVIZ_MAX_MODELS, or 2.

    Raises:
        ModelError: if it is not a whole number of at least 1.
    """
    said = os.environ.get(VARIABLE, "2")
    if not re.fullmatch("0*[1-9][0-9]{0,8}", said):
        raise ModelError(f"{VARIABLE} is {shown(said)}; set it to a whole number of at least 1.")
    return int(said)


class ModelCache:
    """Keeps the most recently used models.

    Threads that ask for the same model wait for one of them to load it; whoever asks for another one waits for nobody.

    Args:
        limit: says how many models to keep.
    """

    def __init__(self, limit: Callable[[], int]):
        self._limit = limit
        self._lock = threading.Lock()  # held for looking things up, never while a model loads
        self._models: OrderedDict[str, Future[VisionTransformer]] = OrderedDict()

    def get(self, name: str, load: Callable[[], VisionTransformer]) -> VisionTransformer:
        """The model of this name, loaded if it is not here.

        Raises:
            ModelError: what `load` raises, in each thread that waited for it; nothing is kept then.
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
            except CancelledError:  # who was loading it went away; then it is this thread's turn
                continue

    def names(self) -> tuple[str, ...]:
        """The models that are here, the least recently used first."""
        with self._lock:
            return tuple(name for name, model in self._models.items() if model.done())

    def holds(self, model: VisionTransformer) -> bool:
        """Whether this very model is here."""
        with self._lock:
            kept = [found for found in self._models.values() if found.done() and not found.cancelled()]
        return any(found.exception() is None and found.result() is model for found in kept)

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
            model.cancel()  # the end of one thread, such as that of a visitor who closed the page, is not another's
            raise
        with self._lock:
            model.set_result(loaded)
            here = [other for other, found in self._models.items() if found.done()]
            for other in here[: max(0, len(here) - limit)]:
                del self._models[other]
