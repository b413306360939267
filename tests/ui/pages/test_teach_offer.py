"""Pages that would have more to say about a model with classes lead to the page "Teach"."""

import pytest

from tests.support.app_pages import opened
from tests.support.taught_heads import BASE, offered  # noqa: F401


def leads_to_teach(model: str, page: str) -> bool:
    app = opened(page, model=model)
    assert not app.exception
    return any(link.proto.page == "teach" for link in app.main.get("page_link"))


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize("page", ["explain", "intervene", "lens"])
def test_classes_are_offered_for_a_model_that_has_none(page):
    assert leads_to_teach(BASE, page)
    assert not leads_to_teach("digits", page)
