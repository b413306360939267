"""Passes as pages hold them: without their models.

Callbacks and fragments of a session keep what they were made with until the page runs again, and so would keep a model
in memory that the server has let go of.
"""

from __future__ import annotations

import weakref
from dataclasses import fields

from .. import zoo
from ..model import VisionTransformer
from ..trace import Trace

_names: weakref.WeakKeyDictionary[VisionTransformer, str] = weakref.WeakKeyDictionary()


class _Lent:
    """Attribute for a model that is in memory for others, and is asked for again by its name if it no longer is."""

    def __get__(self, trace: Trace | None, _kind: type) -> VisionTransformer | _Lent:
        if trace is None:
            return self
        find, name = trace.__dict__["model"]
        return find() or zoo.shared(name)

    def __set__(self, trace: Trace, model: VisionTransformer) -> None:
        trace.__dict__["model"] = weakref.ref(model), _names[model]


class LentTrace(Trace):
    """A trace that does not keep its model in memory."""

    model = _Lent()


def lent(kept: Trace, model: VisionTransformer, name: str) -> Trace:
    """A trace that was kept without its model, with it.

    Args:
        kept: the trace.
        model: which has made it.
        name: under which `vitviz.zoo.shared` has it.
    """
    _names[model] = name
    return LentTrace(**{part.name: getattr(kept, part.name) for part in fields(Trace)} | {"model": model})
