"""The layer that is sent with the image, and those that the browser fetches."""

import pytest

from tests.support.random_models import trace_of
from vitviz.notation.view import View
from vitviz.ui.components.explorer import later_parts
from vitviz.viz.explorer.payload import payload, vectors


def parts_of(trace, view, layers=None, picture=b"picture"):
    sent = vectors(trace, tuple(range(trace.layers)) if layers is None else layers)
    return payload(trace, sent, view, picture=picture, image_name="image")


@pytest.fixture
def trace():
    return trace_of("relative")


def test_the_layer_of_the_view_is_sent_and_the_others_are_fetched(trace):
    assert later_parts(parts_of(trace, View(1, 0)), {}) == ["layer 0", "layer 2"]


def test_the_sent_layer_stays_the_same_while_the_image_does(trace):
    memory = {}
    later_parts(parts_of(trace, View(1, 0)), memory)
    assert later_parts(parts_of(trace, View(2, 0, 3, "to")), memory) == ["layer 2", "layer 0"]
    assert later_parts(parts_of(trace, View(2, 0), picture=b"other"), memory) == ["layer 0", "layer 1"]


def test_layers_that_are_sent_one_at_a_time_are_not_fetched(trace):
    assert later_parts(parts_of(trace, View(1, 0), (1,)), {}) == []
