"""Widgets of Streamlit tell the browser their value in every run.

A run that is replaced by another one may never be sent. A browser that only receives the second run then shows the
default of a widget whose value was set in the first, and sends it back with the next click of the user.
"""

import pytest

from tests.support.app_pages import NAMES, app_with, opened

MODELS = ("digits", "dinov2-small")


def left_to_the_browser(app) -> dict[str, object]:
    """Widgets for which a browser that has received only the last run shows their default, with this default."""
    found = {}
    for element in app._tree:
        proto = getattr(element, "proto", None)
        if proto is None or "set_value" not in proto.DESCRIPTOR.fields_by_name or proto.set_value:
            continue
        default = list(proto.default) if hasattr(proto.default, "append") else proto.default
        if element.type == "selectbox":
            default = element.options[default]
        found[element.key or element.label] = (default, element.value)
    return found


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("page", NAMES)
def test_a_browser_that_missed_a_run_shows_the_values_of_the_next(page, model):
    app = opened(page, model=model) if page != NAMES[0] else app_with({"model": model}).run()
    for key, (default, value) in left_to_the_browser(app.run()).items():
        values = value if isinstance(default, list) and isinstance(value, list | tuple) else [value]
        assert default in (value, values), f"the browser may show {default!r} for {key!r} instead of {value!r}"
