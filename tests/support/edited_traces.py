"""Kinds of models for tests of edits, and their edited forward passes."""

from dataclasses import replace

import vitviz
from tests.support import random_models as kinds
from tests.support.explained_traces import explained

EXPLAINED = {"rotary": "rotary and registers", "registers": "registers", "stem": "stem"}
MORE = {
    "post-norm": replace(kinds.PLAIN, block="post"),
    "parallel": replace(kinds.PLAIN, block="parallel"),
    "attention norm": replace(kinds.PLAIN, attention_norm=True),
    "token and mean": replace(kinds.PLAIN, pooling="token+mean"),
}
KINDS = [*kinds.CONFIGS, *MORE, *EXPLAINED]


def trace_of_kind(kind: str, monkeypatch) -> vitviz.Trace:
    """Trace of one of `KINDS`."""
    if kind in EXPLAINED:
        return explained(EXPLAINED[kind])
    if kind in MORE:
        monkeypatch.setitem(kinds.CONFIGS, kind, MORE[kind])
    return kinds.trace_of(kind)


def again(trace: vitviz.Trace, *edits, **options) -> vitviz.Trace:
    """Trace the same image with edits."""
    return trace.model.trace(trace._pixels(), edits=edits, **options)
