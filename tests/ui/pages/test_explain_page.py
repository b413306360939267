"""The page "Explain", without a browser: each target kind, all methods, and numbers that are the library's."""

import html
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import opened, placed, query, settings, show_instead, texts
from tests.support.exhaustive import exhaustive
from vitviz.analysis.attribution import METHODS, ClassTarget, DifferenceTarget, explain
from vitviz.analysis.attribution.faithfulness import BASELINES, Curves, curves, endpoints, random_curves
from vitviz.ui.app import cache, state
from vitviz.ui.app.jobs import background, queue
from vitviz.ui.pages.explain import auc, comparison, maps
from vitviz.ui.pages.explain.map_figure import captions
from vitviz.ui.pages.explain.targets import ClassSpec, OwnFeatureSpec
from vitviz.ui.widgets.strips import number

pytestmark = pytest.mark.slow

TARGETED = ["gradient_attention", "legrad"]
QUICK = ["attention", "rollout", "gradient_attention", "legrad"]
SLOW = ["integrated_gradients", "occlusion"]
FIGURE = re.compile(r'data-testid="explanation" data-method="(\w+)" data-low="([^"]*)" data-high="([^"]*)"')


@pytest.fixture(autouse=True)
def nothing_is_known():
    cache.clear()


def page(**parameters: str) -> AppTest:
    return opened("explain", **parameters)


def digits(image: str = "digit-4") -> AppTest:
    return page(model="digits", image=image)


def digit_trace(image: str = "digit-4") -> vitviz.Trace:
    return vitviz.load("digits").trace(state.samples()[image])


def bodies(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.main.get("html"))


def shown(app: AppTest) -> list[tuple[str, str, str]]:
    """Return the method and both ends of the scale of each map, row by row."""
    assert not app.exception
    return FIGURE.findall(bodies(app))


def expected(trace, method, target, **parameters) -> tuple[str, str, str]:
    found = explain(trace.model, trace, method=method, target=target, **parameters)
    end = METHODS[method].format(float(np.abs(found.map).max()))
    return method, f"−{end}" if found.signed else "0", end


def heading(app: AppTest, place: int = 0) -> str:
    """Heading of a row of maps: the target, its unit and its value."""
    return placed(app, f"explain_row_{place}")[0].replace("\\", "")


def end_points(app: AppTest) -> str:
    """Text on the target with all patches and with none."""
    (text,) = placed(app, "explain_conclusive_0") or placed(app, "explain_inconclusive_0")
    return text


def press(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def test_quick_maps_are_there_at_once_and_are_the_librarys():
    app, trace = digits(), digit_trace()
    assert shown(app) == [expected(trace, method, ClassTarget(4)) for method in QUICK]
    assert not app.error
    assert ClassSpec(4).unit in heading(app)
    assert f"{trace.output[4]:.3g}" in heading(app)
    about = [captions(explain(trace.model, trace, method=method, target=ClassTarget(4)))[1] for method in QUICK]
    assert about[0] != about[-1]
    for words in (about[0], about[-1]):
        assert bodies(app).count(f"<small>{words}</small>") == 2
        assert len(re.findall(f'<img alt="[^"]*{words}', bodies(app))) == 2


@pytest.mark.parametrize("method", SLOW)
def test_slow_maps_are_computed_when_asked_for(method):
    app, trace = digits(), digit_trace()
    press(app, f"explain_compute_{method}_0")
    assert expected(trace, method, ClassTarget(4)) in shown(app)
    assert len(shown(app)) == 5


def test_the_strongest_patch_of_each_map_is_marked_on_request():
    app, trace = digits(), digit_trace()
    assert 'class="strongest"' not in bodies(app)
    app.checkbox(key="explain_marks").check().run()
    assert query(app)["marks"] == "on"
    assert page(**query(app)).checkbox(key="explain_marks").value
    rows, columns = trace.grid
    found = [explain(trace.model, trace, method=method, target=None) for method in QUICK]
    places = re.findall(r'class="strongest" style="left:([\d.]+)%;top:([\d.]+)%', bodies(app))
    assert [(round(float(top) * rows / 100), round(float(left) * columns / 100)) for left, top in places] == [
        divmod(int(np.abs(one.map).argmax()), columns) for one in found
    ]
    app.switch_page("pages/explore.py").run()
    assert query(app)["marks"] == "on", "it is the same choice there"
    app.switch_page("pages/explain.py").run()
    app.checkbox(key="explain_marks").uncheck().run()
    assert 'class="strongest"' not in bodies(app)
    assert "marks" not in query(app)


def test_why_this_class_and_not_that_beside_another_target():
    app, trace = digits(), digit_trace()
    app.selectbox(key="explain_minus_0").select(9).run()
    app.selectbox(key="explain_class_1").select(7).run()
    targets = DifferenceTarget(4, 9), ClassTarget(7)
    rows = (targets[0], QUICK), (targets[1], TARGETED)
    assert shown(app) == [expected(trace, method, target) for target, methods in rows for method in methods]
    repeated = [method for method in METHODS if placed(app, f"explain_same_{method}_1")]
    assert repeated == [method for method in QUICK if method not in TARGETED]
    assert re.search(r"\b4\b.*\b9\b", heading(app))
    assert f"{trace.output[4] - trace.output[9]:.3g}" in heading(app)
    app.selectbox(key="explain_class_1").set_value(None).run()
    assert len(shown(app)) == 4


def test_two_targets_of_one_unit_share_a_scale_unless_nobody_wants_it():
    app, trace = digits(), digit_trace()
    app.selectbox(key="explain_class_1").select(7).run()
    found = [
        explain(trace.model, trace, method="gradient_attention", target=ClassTarget(index)).map for index in (4, 7)
    ]
    largest = [float(np.abs(values).max()) for values in found]
    say = METHODS["gradient_attention"].format
    assert [high for method, _, high in shown(app) if method == "gradient_attention"] == [say(max(largest))] * 2
    app.toggle(key="explain_one_scale").set_value(False).run()
    assert [high for method, _, high in shown(app) if method == "gradient_attention"] == [say(end) for end in largest]
    assert say(largest[0]) != say(largest[1])


def test_an_emptied_box_is_empty_and_the_page_says_what_is_explained():
    app = page(image="cat")
    assert app.multiselect(key="explain_images_0").value == []
    flower = state.Picked("flower", state.samples()["flower"], sample=True).digest
    app.multiselect(key="explain_images_0").set_value([flower]).run()
    assert "flower" in heading(app)
    app.multiselect(key="explain_images_0").set_value([]).run()
    assert app.multiselect(key="explain_images_0").value == []
    assert "flower" not in heading(app)
    assert OwnFeatureSpec.unit in heading(app)


def test_curves_that_would_say_little_are_said_to_before_they_are_computed():
    app = digits()
    assert placed(app, "explain_conclusive_0")
    app.segmented_control(key="explain_baseline").set_value("blur").run()
    (text,) = placed(app, "explain_inconclusive_0")
    assert comparison.baseline_label("mean") in text, "a baseline that is better"
    press(app, "explain_compare_0")
    assert "<b>" not in bodies(app)[bodies(app).index('data-testid="areas"') :]


def test_a_class_less_itself_is_no_target():
    app = digits()
    app.selectbox(key="explain_minus_0").select(9).run()
    app.selectbox(key="explain_class_0").select(9).run()
    assert re.search(r"\b1: 9\b", heading(app))
    assert app.selectbox(key="explain_minus_0").value is None


def test_the_likeliest_class_follows_the_image_until_another_is_chosen():
    app = digits("digit-4")
    for name, expected_class in (("digit-7", 7), ("digit-0", 0)):
        app.session_state.picked = state.Picked(name, state.samples()[name], sample=True)
        assert app.run().selectbox(key="explain_class_0").value == expected_class
    app.selectbox(key="explain_class_0").select(3).run()
    app.session_state.picked = state.Picked("digit-4", state.samples()["digit-4"], sample=True)
    assert app.run().selectbox(key="explain_class_0").value == 3


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("attention", {"layer": 1, "head": 2}),
        ("rollout", {"head_fusion": "max", "discard_ratio": 0.9}),
        ("integrated_gradients", {"steps": 8, "baseline": "mean"}),
        ("occlusion", {"window": 2, "baseline": "blur"}),
    ],
)
def test_parameters_are_the_librarys(method, parameters):
    app, trace = digits(), digit_trace()
    for name, value in parameters.items():
        app.selectbox(key=f"explain_{method}_{name}").select(value).run()
    if method in SLOW:
        press(app, f"explain_compute_{method}_0")
    assert expected(trace, method, ClassTarget(4), **parameters) in shown(app)


LINKS = [
    {"model": "digits", "target": "7", "target2": "4-9", "baseline": "blur"},
    {
        "model": "digits",
        "methods": "attention.layer.2,attention.head.3,rollout.head_fusion.max,rollout.discard_ratio.0.3",
    },
    {"model": "dinov2-small", "image": "cat", "target": "rocket,flower", "target2": "coffee"},
]


@pytest.mark.parametrize("parameters", LINKS)
def test_a_link_reopens_targets_and_parameters(parameters):
    app = page(**{"image": "digit-4", **parameters})
    assert not app.warning
    assert parameters.items() <= query(app).items()
    again = page(**query(app))
    assert query(again) == query(app)
    assert shown(again) == shown(app)


def test_what_is_chosen_is_in_the_address():
    app = digits()
    assert not {"target", "target2", "methods", "baseline"} & set(query(app))
    app.selectbox(key="explain_class_0").select(7).run()
    app.selectbox(key="explain_minus_0").select(1).run()
    app.selectbox(key="explain_attention_layer").select(0).run()
    assert (query(app)["target"], query(app)["methods"]) == ("7-1", "attention.layer.1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("target", text) for text in ("10", "3-3", "-1", "3-", "cat", "1-2-3", "")),
        *(("methods", text) for text in ("rollout", "legrad.x.1", "rollout.discard_ratio.2", "no.layer.1", "<b>")),
        ("baseline", "black"),
    ],
)
def test_nonsense_in_a_link_is_said_and_left_out(name, text):
    app = page(model="digits", image="digit-4", **{name: text})
    assert len(shown(app)) == 4
    assert len(app.warning) == 1
    assert re.search(rf"\b{name}\b", app.warning[0].value)
    assert name not in query(app)


def test_a_model_without_classes_finds_no_class_in_a_link():
    app = page(image="cat", target="3", target2="cat,own")
    assert len(shown(app)) == 4
    assert all(part in app.warning[0].value for part in ("target “3”", "target2 “cat,own”"))


@pytest.mark.parametrize(
    ("model", "image"), [("digits", "digit-4"), ("dinov2-small", "cat"), exhaustive("dinov2-small", "rocket")]
)
def test_curves_begin_with_the_baseline_that_leaves_least_of_the_target(model, image):
    app = page(model=model, image=image)
    network = vitviz.load(model)
    trace = network.trace(state.samples()[image])
    left = {kind: endpoints(network, trace, None, baseline=kind)[1] for kind in BASELINES}
    lowest = min(left, key=left.get)
    assert app.segmented_control(key="explain_baseline").value == lowest
    assert number(left[lowest]) in end_points(app)
    assert "baseline" not in query(app)
    other = next(kind for kind in BASELINES if kind != lowest)
    app.segmented_control(key="explain_baseline").set_value(other).run()
    assert query(app)["baseline"] == other


def rows(app: AppTest) -> dict[str, list[str]]:
    found = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>", bodies(app))
    return {name: [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in cells] for name, *cells in found}


@pytest.mark.parametrize("baseline", ["blur", exhaustive("mean")])
def test_the_comparison_is_the_librarys(baseline):
    app, trace = digits(), digit_trace()
    if baseline != "mean":
        app.segmented_control(key="explain_baseline").set_value(baseline).run()
    assert not rows(app)
    press(app, "explain_compare_0")
    table, target = rows(app), ClassTarget(4)
    assert len(app.main.get("plotly_chart")) == 2
    orders = {
        METHODS[method].title: curves(
            trace.model,
            trace,
            explain(trace.model, trace, method=method, target=target).map,
            target,
            baseline=baseline,
        )
        for method in QUICK
    } | {"Random (mean of 5)": random_curves(trace.model, trace, target, baseline=baseline, seeds=5)}
    assert list(table) == list(orders)
    for name, found in orders.items():
        assert table[name][0].split()[0] == number(found.deletion_auc)
        assert table[name][1].split()[0] == number(found.insertion_auc)
    first = next(iter(orders.values()))
    whole, none = (re.escape(number(float(first.deletion[at]))) for at in (0, -1))
    assert re.search(f"{whole}.*{none}", end_points(app))


def test_a_map_that_comes_later_joins_the_comparison():
    app = digits()
    press(app, "explain_compare_0")
    press(app, "explain_compute_occlusion_0")
    assert METHODS["occlusion"].title in rows(app)


def area(deletion: float, insertion: float) -> Curves:
    return Curves(*[np.zeros(2, np.float32)] * 3, deletion, insertion, "mean")


def test_what_is_best_and_what_is_no_better_than_chance_is_said_in_words():
    found = {"good": area(0.2, 0.8), "poor": area(0.5, 0.4), "chance": area(0.4, 0.5)}
    cells = re.findall(r"<td>(.*?)</td>", auc.table(found, "chance"))
    worse = " <small>no better than random</small>"
    assert cells[1:3] == ["<b>0.2000</b> best", "<b>0.8000</b> best"]
    assert cells[4:6] == [f"0.5000{worse}", f"0.4000{worse}"]
    assert cells[7:9] == ["0.4000", "0.5000"]
    assert "best" not in auc.table({"good": area(0.5, 0.4), "chance": area(0.4, 0.5)}, "chance")


@pytest.mark.parametrize("what", ["compute_occlusion", "compare"])
def test_stop_takes_back_what_was_asked_for(what, monkeypatch):
    monkeypatch.setattr(queue.Jobs, "join", lambda *_: pytest.fail("nothing is to be waited for"))
    monkeypatch.setattr(background, "watch", lambda place, asked: None)
    app = digits()
    press(app, f"explain_{what}_0")
    assert app.button(key=f"explain_{what}_0").label == "Stop"
    press(app, f"explain_{what}_0")
    assert app.button(key=f"explain_{what}_0").label.startswith("Comp")
    assert len(shown(app)) == 4
    assert not rows(app)


def test_visitors_who_ask_the_same_share_the_maps(monkeypatch):
    before = shown(press(digits(), "explain_compute_occlusion_0"))
    monkeypatch.setattr(maps, "explain", lambda *_, **__: pytest.fail("computed again"))
    assert shown(digits()) == before


def test_a_map_can_be_enlarged():
    app = press(digits(), "explain_enlarge_legrad_0")
    assert not app.exception
    assert settings(app)["explain_enlarged_digits"] == (0, "legrad")
    trace = digit_trace()
    legrad = explain(trace.model, trace, method="legrad", target=ClassTarget(4))
    assert METHODS["legrad"].format(float(legrad.map.sum())) in texts(app)
    app.selectbox(key="explain_class_0").select(2).run()
    assert "explain_enlarged_digits" not in settings(app)


def test_another_model_has_other_targets():
    app = digits()
    app.selectbox(key="explain_class_1").select(7).run()
    app.selectbox(key="model").select("dinov2-small").run()
    assert len(shown(app)) == 4
    assert OwnFeatureSpec.unit in heading(app)


KINDS = {  # and words that the page has to say of them
    "pooled": "the pooling's learned query",
    "differential": "those of differential attention",
    "mean with registers": "all patches, averaged,",
    "distilled": "the class token and the distillation token",
    "relative": "the class token",
}


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_other_kinds(kind, monkeypatch):
    trace = kinds.trace_of(kind)
    show_instead(monkeypatch, trace, kind)
    app = page()
    assert len(shown(app)) == (3 if kind == "differential" else 4)
    assert not app.error
    said = texts(app.main).replace("\\", "")
    assert KINDS[kind] in said
    assert ("class token" in said) == (kind in ("differential", "relative", "distilled"))
    press(app, "explain_compute_occlusion_0")
    press(app, "explain_compare_0")
    assert not app.exception
    assert not app.error
    words = bodies(app)[bodies(app).index('data-testid="areas"') :]
    judged = "no better than" in words or "best" in words
    assert judged != bool(placed(app, "explain_inconclusive_0"))
