"""vitviz.analysis.default_view: a view with distinctive attention."""

import numpy as np
import pytest

import vitviz
from tests.support.app_pages import choice_of, explore, opened, query
from tests.support.random_models import CONFIGS, trace_of
from vitviz.analysis.attention import patch_distances
from vitviz.analysis.default_view import FAR, ROWS, default_view
from vitviz.notation.view import View, strongest_patch
from vitviz.ui.app import state


def looks_far(trace, view) -> float:
    """Return the share of attention to patches that goes to the eight strongest distant ones."""
    weights = np.abs(view.weights(trace))[trace.prefix :]
    far = patch_distances(trace.grid, 1)[view.query - trace.prefix] >= max(2, FAR * max(trace.grid))
    return float(np.sort(weights * far)[-8:].sum() / weights.sum())


@pytest.mark.parametrize("name", ["cat", "rocket", "pagoda"])
def test_the_clearest_patch_looks_far_at_few(model, name):
    trace = model.trace(state.samples()[name])
    view = default_view(trace)
    assert view.layer >= 6
    assert view.head is not None
    assert view.query >= trace.prefix
    others = [looks_far(trace, View(view.layer, view.head, trace.prefix + patch)) for patch in range(0, 256, 5)]
    assert looks_far(trace, view) > max(0.3, float(np.median(others)))
    top = strongest_patch(trace, view.weights(trace))
    apart = patch_distances(trace.grid, 1)[view.query - trace.prefix, top - trace.prefix]
    assert apart >= 2, "not at itself"
    assert default_view(trace) == view


@pytest.mark.parametrize(("layer", "head", "patch", "key"), [(2, 1, 3, 22), (1, 2, 20, 0)])
def test_a_row_that_is_made_clear_is_found(small_trace, monkeypatch, layer, head, patch, key):
    """Make all rows uniform except one, which attends to one distant patch."""
    tokens, prefix = small_trace.token_count, small_trace.prefix

    def attention(_, at, query=None):
        weights = np.full((small_trace.heads, tokens, tokens), 1 / tokens, np.float32)
        if at == layer:
            weights[head, prefix + patch] = np.eye(tokens, dtype=np.float32)[prefix + key]
        return weights if query is None else weights[:, query]

    monkeypatch.setattr(vitviz.Trace, "attention", attention)
    monkeypatch.setattr(vitviz.Trace, "attention_rows", attention)
    assert default_view(small_trace) == View(layer, head, prefix + patch)


@pytest.mark.parametrize("grid", [(4, 6), (5, 3), (1, 1), (1, 7)])
@pytest.mark.parametrize("kind", CONFIGS)
def test_every_kind_has_an_opening(kind, grid):
    trace = trace_of(kind, grid)
    view = default_view(trace)
    assert view == view.fitted(trace)
    assert view.weights(trace).shape == (trace.token_count,)
    if max(grid) <= 2:
        assert view.query is None


def test_large_images_are_asked_in_part(model, monkeypatch):
    trace = model.trace(state.samples()["cat"], size=518)
    rows, whole_rows = [], vitviz.Trace.attention_rows

    def attention_rows(self, layer, queries):
        rows.extend(queries)
        return whole_rows(self, layer, queries)

    monkeypatch.setattr(vitviz.Trace, "attention_rows", attention_rows)
    matrices, whole = [], vitviz.Trace.attention

    def attention(self, layer, head=None, query=None):
        matrices.extend([layer] if query is None else [])
        return whole(self, layer, head, query)

    monkeypatch.setattr(vitviz.Trace, "attention", attention)
    view = default_view(trace)
    assert 0 < len(rows) <= ROWS
    assert not matrices
    assert looks_far(trace, view) > 0.2


# --- The page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("about", [{"image": "rocket"}, {"model": "digits", "image": "digit-4"}])
def test_explore_opens_on_it_and_its_link_says_so(about):
    app = explore(**about)
    found = default_view(state.trace(choice_of(app)))
    assert app.session_state.view == found
    said = query(app)
    assert (said["layer"], said["head"]) == (str(found.layer + 1), str(found.head + 1))
    again = explore(**said)
    assert again.session_state.view == found
    assert query(again) == said


@pytest.mark.parametrize("said", [{"layer": "12"}, {"query": "cls"}, {"direction": "to"}, {"head": "mean"}])
def test_a_link_that_says_a_view_is_kept_to(said):
    app = explore(image="cat", **said)
    assert app.session_state.view == View(
        11, None if "head" in said else 0, 0 if "query" in said else None, said.get("direction", "from")
    )


def test_other_pages_leave_it_to_explore():
    app = opened("lens", model="digits")
    assert app.session_state.view == View(5)
    app.switch_page("pages/explore.py").run()
    assert app.session_state.view == default_view(state.trace(choice_of(app)))
