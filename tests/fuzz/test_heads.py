"""vitviz.open_head: any file gives a head that can be used, or a refusal."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.heads import file_of, head_for, jpeg, parts_of
from tests.support.hostile.limits import handled
from tests.support.hostile.strategies import mutated, mutated_json, odd_texts
from tests.support.image_files import noise
from tests.support.random_models import trace_of
from vitviz.analysis.predictions import predictions
from vitviz.zoo.heads import attached, head_bytes, read_head

PICTURE = noise(48, 32)


@pytest.fixture(scope="session")
def model():
    return trace_of("pooled with prefix").model


@pytest.fixture(scope="session")
def head(model):
    return replace(head_for(model, "token"), thumbnails=[[jpeg()], [], [jpeg(9), jpeg(12)]])


@pytest.fixture(scope="session")
def use(model):
    """Function that reads a file and uses everything in the head."""

    def check(data: bytes, name: str = "it.safetensors") -> None:
        head = handled(lambda: read_head(data, name))
        if head is None:
            return
        assert head.name
        assert "\n" not in repr(head)
        assert head.name.isprintable()
        assert all(label.strip() and "\n" not in label for label in head.labels)
        taught = handled(lambda: attached(model, head))
        if taught is not None:
            handled(lambda: predictions(taught.trace(PICTURE)))
        assert handled(lambda: read_head(head_bytes(head), name)).digest == head.digest

    return check


@given(st.data())
def test_files_with_changed_bytes(head, use, data):
    use(data.draw(mutated(head_bytes(head))))


@given(st.data(), odd_texts)
def test_files_with_another_description(head, use, data, name):
    arrays, about = parts_of(head)
    text = data.draw(mutated_json(about))
    try:
        json.dumps(text).encode()
    except UnicodeEncodeError:  # safetensors does not write it
        return
    use(file_of(arrays, text), name)


@given(st.data())
def test_files_with_other_arrays(head, use, data):
    arrays, about = parts_of(head)
    names = st.sampled_from([*arrays, "thumbnails.9.9", "thumbnails.0.1", "code"])
    changed = data.draw(st.dictionaries(names, st.sampled_from([*arrays.values()]), max_size=4))
    use(file_of(arrays | changed, about))
