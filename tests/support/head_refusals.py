"""Check of refused heads."""

import pytest

from tests.errors.test_public_errors import check_message
from vitviz import ModelError


def refusal(read) -> str:
    """Return the message of the refusal, which is one sentence."""
    with pytest.raises(ModelError) as caught:
        read()
    check_message(caught.value)
    return str(caught.value)
