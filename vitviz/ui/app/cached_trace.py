"""Traces for pages, which hold no data in memory themselves.

Callbacks and fragments of a session keep references until the page runs again. The trace they hold looks up each part
on access, so that data evicted from the cache and from the model cache is released.
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


class _ModelField:
    """Descriptor for the model of a trace. The model is loaded again if it is no longer in memory."""

    def __get__(self, trace: Trace | None, _kind: type) -> VisionTransformer | _ModelField:
        if trace is None:
            return self
        reference, (name, version) = trace.__dict__["model"]
        return reference() or _load(name, version)

    def __set__(self, trace: Trace, model: VisionTransformer) -> None:
        trace.__dict__["model"] = weakref.ref(model), _names[model]


class _CachedField:
    """Descriptor for any other field: the value set on the trace, else that of the cached trace."""

    def __init__(self, name: str):
        self.name = name

    def __get__(self, trace: Trace | None, _kind: type) -> object:
        if trace is None:
            return self
        values = trace.__dict__
        return values[self.name] if self.name in values else getattr(values["_find"](), self.name)

    def __set__(self, trace: Trace, value: object) -> None:
        trace.__dict__[self.name] = value


class CachedTrace(Trace):
    """Trace that looks up its fields on access. A modified copy holds all fields except the model."""

    model = _ModelField()


for _field in fields(Trace):
    if _field.name != "model":
        setattr(CachedTrace, _field.name, _CachedField(_field.name))


def cached_trace(find: Callable[[], Trace], model: VisionTransformer, name: str) -> Trace:
    """Return a trace whose fields are looked up on access.

    Args:
        find: function that returns the trace, without its model, from the cache, or computes it again.
        model: model of the trace.
        name: name of the model for `vitviz.zoo.shared`.
    """
    _names[model] = name, zoo.version(name)
    trace = object.__new__(CachedTrace)
    trace.__dict__["_find"] = find
    _ModelField().__set__(trace, model)
    return trace


def _load(name: str, version: str) -> VisionTransformer:
    """Load a model, provided that its file has not changed since the trace was computed.

    Raises:
        ModelError: if the file has changed.
    """
    if zoo.version(name) != version:
        raise ModelError(f"The file of {name!r} has changed; load the page again.")
    model = zoo.shared(name)
    _names[model] = name, version
    return model
