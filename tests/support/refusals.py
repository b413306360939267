"""Check of refused models."""

import pytest

import vitviz
from tests.support.image_files import assert_one_sentence


def assert_refused(theirs, part):
    """Check that `from_timm` refuses a model with one sentence that names the part; return the sentence."""
    with pytest.raises(vitviz.ModelError) as caught:
        vitviz.from_timm(theirs)
    assert part in str(caught.value)
    assert_one_sentence(str(caught.value))
    return str(caught.value)
