"""Hooks of one thread are invisible to another."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from vitviz import capture, edit
from vitviz.model import hooks
from vitviz.model.hooks import between_blocks

PIXELS = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(5))

PIXELS = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(5))


def run(model, pixels=PIXELS):
    with torch.no_grad():
        return model(pixels)


def test_a_check_is_that_of_its_thread(small):
    called = []
    with between_blocks(lambda: called.append(1)), ThreadPoolExecutor(1) as other:
        other.submit(run, small).result()
    assert called == []


# --- Threads ---------------------------------------------------------------------------------------------------------


def test_a_capture_in_one_thread_is_invisible_to_another(small):
    plain = run(small)
    with ThreadPoolExecutor(1) as other, capture("logits") as kept, edit({"norm": torch.zeros_like}):
        assert torch.allclose(other.submit(run, small).result(), plain, rtol=1e-4, atol=1e-5)
        assert kept == {}
        assert other.submit(hooks._edits.get).result() == ()
        assert not torch.allclose(run(small), plain, rtol=1e-4, atol=1e-5)


def test_eight_threads_through_one_model_see_what_they_would_see_alone(model):
    """Run 25 times and compare each result with that of the same image in a single thread."""
    images = torch.randn(8, 3, 56, 56, generator=torch.Generator().manual_seed(7))
    begin = threading.Barrier(8)

    def look(i):
        record = (f"blocks.{i}.mlp.out", f"blocks.{i}.attn.weights")
        trace = model.trace(images[i], record=record)
        assert list(trace._recorded) == list(reversed(record))
        return [trace.output, trace.attention(11), trace.attention(i), *map(trace.activation, record)]

    alone = [look(i) for i in range(8)]
    assert all(np.abs(alone[i][0] - alone[j][0]).max() > 0.5 for i in range(8) for j in range(i))

    def look_often(i):
        begin.wait()
        wrong = 0
        for _ in range(25):
            seen = look(i)
            wrong += not all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(seen, alone[i], strict=True))
        return wrong

    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads interrupt each other far more often than by default
    try:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(look_often, range(8))) == [0] * 8
    finally:
        sys.setswitchinterval(patience)
