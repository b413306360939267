"""Objects are shown on one line."""

import numpy as np
import pytest

import vitviz
from tests.support.public_calls import public_calls
from vitviz.model.edits import ActivationPatch

LONGEST = 2000


@pytest.fixture(scope="module")
def calls(small, photo):
    return public_calls(small, photo)


def of_vitviz(value):
    return type(value).__module__.startswith("vitviz")


def test_what_public_functions_return_is_shown_on_one_line(calls):
    seen = set()
    for name, (function, arguments) in calls.items():
        if name.endswith((".capture", ".edit")):
            continue
        found = function(**arguments)
        for value in (*arguments.values(), *(found if isinstance(found, tuple | list) else [found])):
            if of_vitviz(value):
                assert "\n" not in repr(value), name
                assert len(repr(value)) < LONGEST, name
                seen.add(type(value).__name__)
    assert {
        "Trace",
        "VisionTransformer",
        "Lens",
        "Attribution",
        "Curves",
        "SafeImage",
        "Prepared",
        "Fitted",
        "LinearHead",
    } <= seen


def test_the_line_says_what_it_is(small, photo):
    trace = small.trace(photo, edits=[vitviz.HeadAblation(0, 0)])
    assert small.name in repr(small)
    assert str(small.config.depth) in repr(small)
    assert small.name in repr(trace)
    assert "Trace" in repr(trace)
    patched = ActivationPatch(0, None, "mlp", np.zeros((trace.token_count, small.config.embed_dim)))
    for value in (patched, vitviz.SimilarityTarget(trace.output, "it"), vitviz.ClassTarget(3), trace.image):
        assert type(value).__name__ in repr(value)
        assert "\n" not in repr(value)
    assert "float32 [5]" in repr(vitviz.SimilarityTarget(trace.output, "it"))
    assert repr(vitviz.ClassTarget(3)) == "ClassTarget(index=3, label='')"
