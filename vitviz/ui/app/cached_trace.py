"""Traces as pages hold them: they keep nothing in memory.

Callbacks and fragments of a session keep what they were made with until the page runs again. A trace that they hold
looks up each of its parts when it is asked for, so that what the cache and the shelf of models let go of is gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import fields

from ... import zoo
from ...errors import ModelError
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer

_names: weakref.WeakKeyDictionary[VisionTransformer, tuple[str, str]] = weakref.WeakKeyDictionary()


class _Model:
    """The model of a trace, which is loaded again if it is no longer in memory."""

    def __get__(self, trace: Trace | None, _kind: type) -> VisionTransformer | _Model:
        if trace is None:
            return self
        find, (name, version) = trace.__dict__["model"]
        return find() or _named(name, version)

    def __set__(self, trace: Trace, model: VisionTransformer) -> None:
        trace.__dict__["model"] = weakref.ref(model), _names[model]


class _Part:
    """Any other part of a trace: its own, if it was given one, or that of the trace in the cache."""

    def __init__(self, name: str):
        self.name = name

    def __get__(self, trace: Trace | None, _kind: type) -> object:
        if trace is None:
            return self
        own = trace.__dict__
        return own[self.name] if self.name in own else getattr(own["_find"](), self.name)

    def __set__(self, trace: Trace, value: object) -> None:
        trace.__dict__[self.name] = value


class CachedTrace(Trace):
    """A trace that looks up what it is asked for; a changed copy of it keeps all of its parts but the model."""

    model = _Model()


for _part in fields(Trace):
    if _part.name != "model":
        setattr(CachedTrace, _part.name, _Part(_part.name))


def cached_trace(find: Callable[[], Trace], model: VisionTransformer, name: str) -> Trace:
    """A trace whose parts are looked up.

    Args:
        find: finds it, without its model, in the cache; or makes it again.
        model: which has made it.
        name: under which `vitviz.zoo.shared` has that.
    """
    _names[model] = name, zoo.version(name)
    trace = object.__new__(CachedTrace)
    trace.__dict__["_find"] = find
    _Model().__set__(trace, model)
    return trace


def _named(name: str, version: str) -> VisionTransformer:
    """The model of this name, if its file is still the one that has made the trace.

    Raises:
        ModelError: if it is not.
    """
    if zoo.version(name) != version:
        raise ModelError(f"The file of {name!r} has changed; load the page again.")
    model = zoo.shared(name)
    _names[model] = name, version
    return model
