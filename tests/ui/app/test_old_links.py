"""Links of every page with every parameter, as they have been written so far: all of them still open."""

import pytest

from tests.support.app_pages import opened, query, start
from vitviz.ui.app.link import parameter_names

CAT = {"image": "cat", "model": "dinov2-small", "size": "224", "fit": "crop"}
DIGIT = {"image": "digit-4", "model": "digits", "size": "32", "fit": "crop"}
VIEW = {"layer": "5", "head": "3", "query": "4-6", "direction": "from", "scale": "relative"}
PLACE = {name: VIEW[name] for name in ("layer", "head", "query")}
LINKS = [  # a page, its link, and what is written in another way today
    ("explore", CAT | VIEW | {"overlay": "60", "smooth": "on", "marks": "on", "linked": "on", "relation": "into"}, {}),
    ("explore", DIGIT | VIEW | {"head": "mean", "query": "cls", "direction": "to", "scale": "uniform"}, {}),
    ("explore", DIGIT | VIEW | {"with": "digit-8", "show": "similarity", "lines": "on", "threshold": "0.3"}, {}),
    ("sequence", DIGIT | VIEW, {}),
    ("attention", DIGIT | VIEW, {}),
    ("tokens", DIGIT | VIEW | {"section": "Norms"}, {}),
    ("explain", DIGIT | {"target": "7", "target2": "4-9", "baseline": "blur", "marks": "on"}, {}),
    ("explain", DIGIT | {"methods": "attention.layer.2,attention.head.3,rollout.discard_ratio.0.3"}, {}),
    ("explain", CAT | {"target": "rocket,flower", "target2": "coffee"}, {}),
    ("intervene", DIGIT | VIEW | {"edits": "none"}, {}),
    (
        "intervene",
        DIGIT | VIEW | {"edits": "h3.2z,l5am,l6f,p12k,p20m,t3.1x0.5,c1.1", "second": "digit-7"},
        {"edits": "h3.2z,l5am,l6f,p2-4k,p3-4m,t3.1x0.5,c1.1"},
    ),
    ("lens", DIGIT | {"lens": "9", "depth": "2", "query": "4-6"}, {}),
    ("lens", CAT | {"lens": "rocket", "depth": "0"}, {}),
    ("lens", CAT | {"lens": "image"}, {}),
    ("lens", CAT | {"lens": "image", "projector": "1"}, {}),
    (
        "compare",
        CAT
        | PLACE
        | {"mode": "images", "with": "flower", "centred": "on", "more": "coffee"}
        | {"show": "colours", "lines": "on", "threshold": "0.3"},
        {},
    ),
    ("compare", DIGIT | PLACE | {"mode": "models", "model2": "digits-run/step-00100", "head2": "3-2"}, {}),
    ("compare", DIGIT | PLACE | {"mode": "models", "model2": "digits-run/step-00100", "measure": "jensen_shannon"}, {}),
    ("compare", DIGIT | PLACE | {"mode": "checkpoints", "before": "digits-run/step-00100"}, {}),
    ("attention", CAT | VIEW | {"key": "7-9"}, {}),
    ("teach", DIGIT | {"source": "own"}, {}),
]
OF_SESSIONS = {"classes"}  # what only the session has that wrote the link: tests/ui/app/test_taught.py
OF_SCANS = {"scan", "position"}  # of servers with scans: tests/ui/pages/test_collection_page.py
OF_GUIDES = [({"tour": "7"}, "lesson-7"), ({"guide": "lesson-7"}, "lesson-7"), ({"guide": "tour-2"}, "tour-2")]


@pytest.mark.parametrize(("page", "parameters", "changed"), LINKS)
def test_a_link_opens_and_says_the_same_today(page, parameters, changed):
    app = opened(page, **parameters)
    assert not app.exception
    assert not app.warning
    assert query(app) == parameters | changed
    again = opened(page, **query(app))
    assert query(again) == query(app)


@pytest.mark.parametrize(("parameters", "guide"), OF_GUIDES)
def test_a_stop_of_a_guide_opens(parameters, guide):
    app = start(**CAT, **parameters)
    assert not app.exception
    assert not app.warning
    assert query(app)["guide"] == guide


def test_every_parameter_is_among_them():
    written = {name for _, parameters, _ in LINKS for name in parameters}
    written |= {name for parameters, _ in OF_GUIDES for name in parameters}
    assert written | OF_SESSIONS | OF_SCANS == set(parameter_names())
