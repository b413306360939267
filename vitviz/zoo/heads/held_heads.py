"""Heads that users of the app hold, by the name of the model that each makes, such as `"dinov2-small+1f0c..."`.

The name consists of the name of the base model and a digest of the head, so that a different head never has the same
name, and results can be cached by it. A head is known for as long as somebody keeps it; nothing is kept here.
"""

from __future__ import annotations

import re
import threading
from hashlib import sha256
from weakref import WeakKeyDictionary, WeakValueDictionary

from ...errors import ModelError
from ...errors.arguments import typed
from ...trace.saved_weights import fingerprint
from ...trace.vision_transformer import VisionTransformer
from .linear_head import LinearHead, check_fingerprint, with_classifier

_NAME = re.compile(r"(.+)\+[0-9a-f]{32}", re.DOTALL)

_lock = threading.Lock()
_heads: WeakValueDictionary[str, LinearHead] = WeakValueDictionary()
_fingerprints: WeakKeyDictionary[VisionTransformer, str] = WeakKeyDictionary()
# An entry exists only while both the base model and the head are in memory: a model with a head refers to neither.
_attached: WeakKeyDictionary[VisionTransformer, WeakKeyDictionary[LinearHead, VisionTransformer]] = WeakKeyDictionary()


@typed
def hold(base: str, head: LinearHead) -> tuple[str, LinearHead]:
    """Make a head known as part of a model.

    Args:
        base: name of the model without the head, as in `vitviz.zoo.shared`.
        head: head to add to it.

    Returns:
        Name of the model with the head, and the head, which the caller must keep: the name is valid until nobody keeps
        the head. Callers with equal heads get the same one.
    """
    about = head.digest, head.name, head.model, head.preprocessing, head.counts, head.correct
    name = f"{base}+{sha256(repr(about).encode(errors='surrogatepass')).hexdigest()[:32]}"
    with _lock:
        return name, _heads.setdefault(name, head)


@typed
def base_of(name: str) -> str:
    """Return the name of a model without its head; any other name is returned unchanged."""
    found = _NAME.fullmatch(name)
    return name if found is None else found[1]


@typed
def held(name: str) -> LinearHead | None:
    """Return the head of a model; None for other names, and if nobody keeps the head any more."""
    with _lock:
        return _heads.get(name)


@typed
def with_held_head(base: VisionTransformer, name: str) -> VisionTransformer:
    """Return the model of this name, which shares the weights of its base model.

    Args:
        base: the base model, which must not be changed.
        name: name of the model with the head.

    Raises:
        ModelError: if nobody keeps the head any more, or it was fitted on another model.
    """
    head = held(name)
    if head is None:
        raise ModelError("The classes of this model are no longer in memory; open the file of their head again.")
    with _lock:
        models = _attached.setdefault(base, WeakKeyDictionary())
        if head in models:
            return models[head]
    check_head(head, base)
    model = with_classifier(base, head)
    with _lock:
        return models.setdefault(head, model)


@typed
def check_head(head: LinearHead, base: VisionTransformer) -> None:
    """Check that a head was fitted on a model, whose weights are read only once.

    Args:
        head: any head.
        base: the model, which must not be changed.

    Raises:
        ModelError: if it was fitted on another model.
    """
    with _lock:
        digest = _fingerprints.get(base)
    if digest is None:
        digest = fingerprint(base)
        with _lock:
            _fingerprints[base] = digest
    check_fingerprint(head, base, digest)
