"""vitviz.open_trace: any file gives a trace that can be used, or a refusal."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vitviz
from tests.support.hostile.limits import handled
from tests.support.hostile.strategies import mutated, mutated_json
from tests.support.hostile.traces import file_of, parts_of
from tests.support.image_files import noise
from tests.support.random_models import CONFIGS, trace_of
from vitviz.model.edits import ActivationPatch, HeadAblation, Temperature
from vitviz.notation.view import View, default_token
from vitviz.viz import export

KINDS = ("plain", *CONFIGS)


@pytest.fixture(scope="session")
def saved(folder):
    """Bytes, arrays and description of a trace of every kind."""
    found = {}
    for kind in KINDS:
        trace = trace_of("mean" if kind == "plain" else kind)
        if kind == "plain":  # with an image and edits
            model = trace.model
            patch = ActivationPatch(1, None, "mlp", np.ones((24, model.config.embed_dim), np.float32))
            trace = model.trace(noise(48, 32), size=(32, 48), edits=[HeadAblation(0, 1), Temperature(1, 0, 0.3), patch])
        path = folder / "saved.trace"
        trace.save(path)
        found[kind] = path.read_bytes(), *parts_of(path)
    return found


@pytest.fixture(scope="session")
def use(folder):
    """Function that opens a file and uses everything in the trace."""
    path = folder / "it.trace"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        trace = handled(lambda: vitviz.open_trace(path))
        if trace is None:
            return
        for layer in range(trace.layers):
            handled(lambda layer=layer: trace.attention(layer))
            handled(lambda layer=layer: trace.heatmap(layer, 0))
        view = View(0, 0, default_token(trace))
        handled(lambda: (trace.pixels(), view.label(trace), view.weights(trace), repr(trace)))
        handled(lambda: export.arrays_npz(trace, view, export.metadata(trace, view, "a.png", "a", "crop")))
        assert torch.isfinite(torch.tensor(trace.grid)).all()

    return check


@given(st.sampled_from(KINDS), st.data())
def test_files_with_changed_bytes(saved, use, kind, data):
    use(data.draw(mutated(saved[kind][0])))


@given(st.sampled_from(KINDS), st.data())
def test_files_with_changed_descriptions(saved, use, kind, data):
    _, tensors, about = saved[kind]
    use(file_of(tensors, data.draw(mutated_json(about))))


@given(st.sampled_from(KINDS), st.data())
def test_files_with_changed_arrays(saved, use, kind, data):
    _, tensors, about = saved[kind]
    name = data.draw(st.sampled_from(sorted(tensors)))
    array = tensors[name]
    changed = data.draw(
        st.sampled_from(
            (array[:-1], array[None], array.astype(np.float16), np.full_like(array, 255), array.ravel(), array[:0])
            if array.ndim
            else (array[None], array.astype(np.float16))
        )
    )
    if changed.dtype.kind == "f" and data.draw(st.booleans()):
        changed = np.full_like(
            changed, data.draw(st.sampled_from((np.nan, np.inf, -np.inf, np.finfo(changed.dtype).max)))
        )
    use(file_of({**tensors, name: np.ascontiguousarray(changed)}, about))
