"""Classes that a user has taught a model: every page speaks in them, in this session only."""

import gc
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support.app_pages import NAMES, choice_of, explore, opened, placed, query, settings, start, texts
from tests.support.exhaustive import exhaustive
from tests.support.markup import assert_escaped
from tests.support.taught_heads import BASE, LABELS, act, offered, random_head, sessions_act, teach  # noqa: F401
from vitviz import zoo
from vitviz.analysis.logit_lens import lens
from vitviz.analysis.predictions import predictions
from vitviz.ui.app import cache, models, sessions, state, taught
from vitviz.zoo.model_cache import ModelCache

pytestmark = pytest.mark.usefixtures("empty_model_cache", "offered", "sessions_act")

MARKED = "**c** $y$ <3 & `d` #"  # what has HTML or links in it is no name of a class or a head


def bodies(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def go(app: AppTest, page: str) -> AppTest:
    return app.switch_page(f"pages/{page}.py").run()


def seen(app: AppTest) -> vitviz.Trace:
    """The library's view of what the app looks at, with the head of its session."""
    choice, head = choice_of(app), app.session_state.taught.head
    model = vitviz.zoo.heads.attached(zoo.shared(zoo.base_of(choice.model)), head)
    return model.trace(choice.picked.data, size=choice.size, fit=choice.fit)


def assert_link_has_no_head(app: AppTest) -> None:
    digest = app.session_state.taught.name.rpartition("+")[2]
    assert query(app)["model"] == zoo.base_of(app.session_state.taught.name)
    assert query(app)["classes"] == "own"
    assert not any(digest[:8] in text for text in query(app).values())


# --- Every page ------------------------------------------------------------------------------------------------------

HEADS = {
    "classes": (BASE, {}),
    "independent, class token and mean": (BASE, {"kind": "independent", "pooling": "token+mean"}),
    "in place of other classes": ("digits", {"pooling": "mean"}),
    "the shipped model": ("dinov2-small", {"pooling": "token+mean"}),
}


@pytest.mark.parametrize("kind", ["classes", "independent, class token and mean", *map(exhaustive, [*HEADS][2:])])
def test_every_page_speaks_in_the_classes(kind):
    base, options = HEADS[kind]
    app = teach(explore(model=base), random_head(base, **options))
    trace = seen(app)
    found = predictions(trace, 10)
    top, second = (one.label for one in found[:2])
    for page in NAMES:
        go(app, page)
        assert not app.exception, (page, app.exception[0].message)
        assert not app.error, page
        assert not app.warning, page
        assert_link_has_no_head(app)
        said = texts(app) + bodies(app)
        assert "no classes" not in said, page
        assert app.selectbox(key="model").value == app.session_state.taught.name
        if page in ("explore", "attention"):
            for one in found:
                assert f'data-class="{one.label}" data-probability="{one.probability:.9f}"' in bodies(app), page

    go(app, "explain")
    assert {option.partition(" (")[0] for option in app.selectbox(key="explain_class_0").options} == set(LABELS)
    app.selectbox(key="explain_minus_0").select(found[1].index).run()
    assert f"{top} minus {second}" in placed(app, "explain_row_0")[0]
    assert f"{trace.output[found[0].index] - trace.output[found[1].index]:.3g}".replace("-", "−") in texts(app)

    go(app, "intervene")
    assert f'data-class="{top}" data-before="{found[0].probability:.9f}"' in bodies(app)
    (measured,) = [box for box in app.selectbox if (box.key or "").startswith("sweep_class")]
    assert measured.options == [one.label for one in found]

    go(app, "lens")
    (target,) = [box for box in app.selectbox if (box.key or "").startswith("lens_class")]
    assert target.options == [f"{top} (predicted)", *LABELS]
    shares = lens(trace.model.trace(choice_of(app).picked.data, record=("blocks.*.resid_*",))).probabilities()
    target.select(found[1].index).run()
    assert f"of “{second}”" in bodies(app)
    assert len(shares) == trace.layers + 1
    if "independent" in kind:
        go(app, "explore")
        assert "independent" in bodies(app)
        go(app, "attention")
        assert "sigmoid" in texts(app)
    else:
        assert shares.sum(axis=1) == pytest.approx(1)


def test_a_sweep_measures_a_taught_class():
    app = go(teach(explore(model=BASE), random_head(BASE)), "intervene")
    app.button(key="sweep_run").click().run()
    assert not app.exception
    assert predictions(seen(app), 1)[0].label in " ".join(placed(app, "sweep_summary"))


@pytest.mark.parametrize("page", ["explore", *map(exhaustive, [name for name in NAMES if name != "explore"])])
def test_names_of_heads_and_classes_are_shown_as_they_are(page):
    app = teach(explore(model=BASE), random_head(BASE, MARKED, f"{MARKED}2", name=MARKED))
    shown = assert_escaped(go(app, page))
    if page in ("explore", "attention", "explain", "intervene", "lens"):
        assert "**c** $y$ &lt;3 &amp; `d` #" in shown
    assert not app.error


def test_the_lesson_speaks_of_classes_where_there_were_none():
    app = explore(model=BASE)
    go(app, "attention")
    assert "From logits to probabilities, by hand" not in [one.label for one in app.expander]
    teach(app, random_head(BASE))
    assert "From logits to probabilities, by hand" in [one.label for one in app.expander]


# --- The session -----------------------------------------------------------------------------------------------------


def test_the_model_stands_in_the_box_beside_the_others_and_is_one_click_away():
    app = explore(model=BASE)
    before = app.selectbox(key="model").options
    teach(app, random_head(BASE))
    box = app.selectbox(key="model")
    assert set(box.options) - set(before) == {f"{BASE} + mugs"}
    assert box.options.index(f"{BASE} + mugs") == 1 + box.options.index(BASE)
    assert all(label in box.help for label in LABELS)
    assert any("attention heads" in caption.value for caption in app.sidebar.caption), "still assumed"
    box.select(BASE).run()
    assert "data-class" not in bodies(app)
    assert "classes" not in query(app)
    assert app.session_state.taught.head.labels == LABELS
    app.selectbox(key="model").select(app.session_state.taught.name).run()
    assert f'data-class="{LABELS[0]}"' in bodies(app)
    assert_link_has_no_head(app)


def test_the_head_can_be_left_and_forgotten():
    app = teach(explore(model=BASE), random_head(BASE))
    name = app.session_state.taught.name
    act(app, taught.leave_head)
    assert (query(app)["model"], "classes" in query(app)) == (BASE, False)
    app.selectbox(key="model").select(name).run()
    act(app, taught.forget_head)
    assert query(app)["model"] == BASE
    assert f"{BASE} + mugs" not in app.selectbox(key="model").options
    assert not app.exception
    gc.collect()
    assert zoo.held(name) is None, "nobody keeps it"


def test_only_the_head_of_the_session_can_be_chosen():
    other = teach(explore(model=BASE), random_head(BASE, "fork", "knife"))
    app = teach(explore(model=BASE), random_head(BASE))
    act(app, lambda: state.try_model(other.session_state.taught.name))
    assert not app.exception
    assert not app.error
    assert query(app)["model"] == BASE
    assert "data-class" not in bodies(app)


def test_size_and_fit_are_those_of_the_head_until_the_user_changes_them():
    app = explore(model=BASE, fit="crop")
    teach(app, random_head(BASE, size=96, fit="squash"))
    assert (query(app)["size"], query(app)["fit"]) == ("96", "squash")
    app.selectbox(key="size").set_value(64).run()
    teach(app, random_head(BASE, size=96, fit="squash", seed=1))
    assert query(app)["size"] == "64", "the user chose it, and only the weights have changed"
    teach(app, random_head(BASE, size=96, fit="pad"))
    assert (query(app)["size"], query(app)["fit"]) == ("96", "pad")
    act(app, taught.leave_head)
    assert (query(app)["size"], query(app)["fit"]) == ("64", "crop")


def test_a_target_stays_when_a_head_is_fitted_again_on_the_same_classes():
    app = go(teach(explore(model=BASE), random_head(BASE)), "explain")
    least = predictions(seen(app), 3)[-1]
    app.selectbox(key="explain_class_0").select(least.index).run()
    for seed in (1, 2):
        teach(app, random_head(BASE, seed=seed))
        assert least.label in placed(app, "explain_row_0")[0]
        assert f"{seen(app).output[least.index]:.3g}".replace("-", "−") in placed(app, "explain_row_0")[0]
    teach(app, random_head(BASE, "a", "b", "c", "d"))
    assert predictions(seen(app), 1)[0].label in placed(app, "explain_row_0")[0]


def test_edits_stay_because_they_do_not_depend_on_the_head():
    app = opened("intervene", model=BASE, edits="h1.2z,p1-2k")
    teach(app, random_head(BASE))
    assert not app.error
    assert query(app)["edits"] == "h1.2z,p1-2k"


def test_a_head_takes_no_place_of_a_model_and_a_replaced_one_leaves_no_results(monkeypatch):
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 1))
    app = explore(model=BASE)
    teach(app, random_head(BASE))
    assert zoo.loaded() == (BASE,)
    name = app.session_state.taught.name
    assert any(cache._contains(key, {name}) for key in cache.shared._results)
    teach(app, random_head(BASE, seed=1))
    assert not any(cache._contains(key, {name}) for key in cache.shared._results)
    assert not app.exception
    assert zoo.loaded() == (BASE,)


def test_the_pages_go_on_when_the_base_model_was_evicted():
    app = teach(explore(model=BASE), random_head(BASE))
    zoo._model_cache._models.clear()
    gc.collect()
    go(app, "lens")
    assert not app.exception
    assert not app.error
    assert predictions(seen(app), 1)[0].label in bodies(app)


def test_results_of_a_head_go_with_the_last_session_that_has_it(monkeypatch):
    monkeypatch.setattr(sessions, "_sessions", {})
    monkeypatch.setattr(sessions, "_left", {})
    for session, model in (("a", "x+1"), ("a", "x+2"), ("b", "x+2")):
        monkeypatch.setattr(
            sessions, "get_script_run_ctx", lambda session=session, **_: SimpleNamespace(session_id=session)
        )
        sessions.add_model(model)
    for model in ("x+1", "x+2", "x"):
        cache.shared.put(("f", ("image", model)), model)
    later = max(session.last for session in sessions._sessions.values()) + 1 + sessions.TIMEOUT
    assert sessions.forget_disconnected({"b"}.__contains__, later) == ["a"]
    assert [cache.shared.get(("f", ("image", model))) for model in ("x+1", "x+2", "x")] == [None, "x+2", "x"]
    sessions.drop_model("x+2")  # in session b
    assert [cache.shared.get(("f", ("image", model))) for model in ("x+2", "x")] == [None, "x"]


# --- Others ----------------------------------------------------------------------------------------------------------


def test_two_sessions_with_different_classes_see_only_their_own():
    names = ("cat", "dog", "fox"), ("ant", "bee", "fly")
    apps = [explore(model=BASE) for _ in names]
    for place, (app, labels) in enumerate(zip(apps, names, strict=True)):
        teach(app, random_head(BASE, *labels, name="same name", seed=place))
    for page in ("explore", "explain", "lens", "intervene"):
        for app, own, other in zip(apps, names, names[::-1], strict=True):
            go(app, page)
            said = texts(app) + bodies(app) + " ".join(str(box.options) for box in app.selectbox)
            assert all(label in said for label in own), page
            assert not any(f">{label}<" in said or f"'{label}" in said for label in other), page
        boxes = [app.selectbox(key="model") for app in apps]
        assert boxes[0].value != boxes[1].value


def test_results_of_different_heads_are_never_mixed_in_threads():
    kept = [zoo.hold(BASE, random_head(BASE, f"a{seed}", f"b{seed}", seed=seed)) for seed in range(4)]
    plain = state.Choice(state.Picked("cat", state.samples()["cat"], sample=True), BASE, 64, "crop")
    wanted = []
    for name, head in kept:
        model = vitviz.zoo.heads.attached(zoo.shared(BASE), head)
        wanted.append((name, predictions(model.trace(plain.picked.data, size=64, fit="crop"))))

    def look(case: tuple) -> bool:
        name, right = case
        choice = replace(plain, model=name)
        shown = state.trace(choice)
        return predictions(shown) == right and models.describe(name).config.num_classes == 2

    cases = wanted * 25
    random.Random(0).shuffle(cases)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(look, cases))
    assert len({id(state.trace(replace(plain, model=name)).output) for name, _ in kept}) == len(kept)


def test_a_link_shows_the_base_model_to_others_and_says_why_in_one_sentence():
    app = go(teach(explore(model=BASE, image="rocket"), random_head(BASE, size=96)), "explain")
    app.selectbox(key="explain_minus_0").select(predictions(seen(app), 2)[1].index).run()
    sent = query(app)
    assert {"classes": "own", "target": sent.get("target", "")}.items() <= sent.items()
    other = opened("explain", **sent)
    assert not other.exception
    (said,) = other.warning
    assert "classes" in said.value
    assert said.value.count(".") == 1
    assert query(other)["model"] == BASE
    assert "classes" not in query(other)
    assert (query(other)["size"], query(other)["image"]) == ("64", "rocket")
    assert not other.run().warning, "said once"


def test_the_target_of_such_a_link_is_no_class_of_the_base_model():
    app = opened("explain", model="digits", classes="own", target="7")
    assert len(app.warning) == 1
    assert app.selectbox(key="explain_class_0").value != 7
    app = opened("lens", model="digits", classes="own", lens="7")
    assert len(app.warning) == 1
    assert app.selectbox(key="lens_class_digits").value != 7
    assert opened("explain", model="digits", target="7").selectbox(key="explain_class_0").value == 7


@pytest.mark.parametrize("text", ["", "mine", "OWN", "0" * 32])
def test_nonsense_about_classes_in_a_link_is_left_out_with_a_notice(text):
    app = explore(model=BASE, classes=text)
    assert len(app.warning) == 1
    assert "classes" in app.warning[0].value
    assert "classes" not in query(app)


def test_the_name_of_somebody_elses_model_opens_nothing():
    app = teach(explore(model=BASE), random_head(BASE))
    name = app.session_state.taught.name
    other = explore(model=name)
    assert len(other.warning) == 1
    assert query(other)["model"] == next(iter(zoo.SHIPPED))
    assert not any(f"{label}<" in bodies(other) for label in LABELS)
    assert start().selectbox(key="model").options.count(models.title(name)) == 0


def test_files_are_named_after_model_and_head():
    name, _kept = zoo.hold("digits", random_head("digits"))
    assert models.name_in_files(name) == "digits-mugs"
    assert models.name_in_files(BASE) == BASE
    assert settings(explore(model=BASE))["model"] == BASE
