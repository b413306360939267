"""Links: any query parameters open a page, whose own link opens the same again."""

from dataclasses import replace

import pytest
import streamlit
import torch
from hypothesis import given
from hypothesis import strategies as st

import vitviz
from tests.support.hostile.limits import handled
from tests.support.hostile.strategies import mutated_text, odd_texts
from tests.support.random_models import CONFIGS, PLAIN, trace_of
from tests.support.session_state import SessionState
from vitviz.notation.edits import format_edits, parse_edits
from vitviz.ui.app import link, models, settings, state
from vitviz.ui.app.projector import PROJECTOR
from vitviz.ui.app.registry import PAGES
from vitviz.zoo import SHIPPED

LIKELY = {
    "image": (*state.samples(), state.OWN, "class-a"),
    "model": (*SHIPPED, "best.pth", "vit_tiny_patch16_224"),
    "classes": (state.OWN,),
    "size": ("224", "32", "518", "96x192"),
    "fit": ("crop", "squash", "pad", "native"),
    "layer": ("1", "2", "3", "pool"),
    "head": ("1", "3", "mean"),
    "query": ("cls", "reg1", "reg2", "dist", "1-1", "2-5", "4-6", "1..2-3..5", "1-1..3,2-2", "1..4-1..6"),
    "direction": ("from", "to"),
    "scale": ("relative", "raw", "uniform"),
    "overlay": ("0", "1", "60", "100"),
    "smooth": ("on",),
    "marks": ("on",),
    "linked": ("on",),
    "relation": ("within", "into", "out"),
    "section": ("Norms", "Places", "flattening", "scores", "summary"),
    "target": ("3", "4-2", "cat", "rocket,flower"),
    "target2": ("0", "1-0", "coffee"),
    "methods": ("attention.layer.2,attention.head.3", "rollout.head_fusion.max,rollout.discard_ratio.0.3"),
    "baseline": ("blur", "mean", "black"),
    "edits": ("none", "h3.2z,l2am,l1f,p12k,p2-4m,t3.1x0.5,c1.1,c2f", "t1.1x0.000001"),
    "second": ("digit-7", "cat"),
    "lens": ("3", "image", "rocket"),
    "depth": ("0", "1", "3"),
    "key": ("cls", "2-3"),
    "projector": ("1",),
    "guide": ("tour-2", "lesson-7"),
    "tour": ("7",),
    "source": ("own", "example"),
    "scan": ("shapes", "2026.photos"),
    "position": ("0", "5", "999999999999"),
    "mode": ("images", "models", "checkpoints"),
    "with": ("flower", "digit-0", "own", "own2"),
    "measure": ("cosine", "jensen_shannon"),
    "centred": ("on",),
    "more": ("coffee", "coffee,rocket"),
    "model2": ("digits", "digits-run/step-00100"),
    "before": ("digits-run/step-00100",),
    "head2": ("1-1", "6-4", "9-9"),
    "show": ("similarity", "attention", "colours"),
    "lines": ("on",),
    "threshold": ("0.5", "-1", "1"),
}
COUNTS = {"tour": 5, "lesson": 18}
VIEWED = ("layer", "edits")  # with these in a link, no page computes the view or the edits that it opens with


def texts_of(name: str) -> st.SearchStrategy[str]:
    """Likely, nearly likely and unlikely texts of a parameter."""
    return st.sampled_from(LIKELY[name]) | st.sampled_from(LIKELY[name]).flatmap(mutated_text) | odd_texts


@st.composite
def links(draw: st.DrawFn, names: tuple[str, ...], always: tuple[str, ...] = ()) -> dict[str, str]:
    """Query parameters, some of them unknown."""
    chosen = [name for name in names if name in always or draw(st.booleans())]
    others = draw(
        st.dictionaries(odd_texts | st.sampled_from(tuple(LIKELY)).flatmap(mutated_text), odd_texts, max_size=1)
    )
    return others | {name: draw(texts_of(name)) for name in chosen}


def names_on(page) -> tuple[str, ...]:
    return (*dict.fromkeys(name for setting in page.settings for name in setting.names), "projector")


@pytest.fixture(scope="module")
def traces():
    """Function that returns a trace of a model of a kind."""
    model = vitviz.VisionTransformer(replace(PLAIN, num_classes=0), "embedding")
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) / 2
    found = {kind: trace_of(kind) for kind in CONFIGS} | {"embedding": model.trace(torch.zeros(3, 32, 48))}
    return lambda kind: found[kind]


@pytest.fixture(scope="module")
def session():
    """Session without a browser, which looks at the trace `session.trace`."""
    with pytest.MonkeyPatch.context() as patch:
        found = SessionState()
        patch.setattr(streamlit, "session_state", found)
        patch.setattr(state, "trace", lambda _: found["trace"])
        yield found


def opened(session, page, parameters, trace, choice):
    """Open a page from a link; return the parameters of its own link, and the notices."""
    session.clear()
    session.update(trace=trace, picked=choice.picked, own=None, class_image=None, page=page.name)
    settings.begin(parameters)
    written = PROJECTOR.to_link()
    for setting in page.settings:
        written |= setting.to_link(choice)
    return written, session.get("notices", [])


def assert_notices(notices):
    for notice in notices:
        assert notice.startswith(("The link's ", "This link "))
        assert notice.endswith(".")
        assert len(notice) < 500


@given(st.data(), st.sampled_from([page for page in PAGES if page.settings]), st.sampled_from((*CONFIGS, "embedding")))
def test_the_link_of_a_page_opens_it_again(traces, session, data, page, kind):
    parameters = data.draw(links(names_on(page), VIEWED))
    model = "dinov2-small" if kind == "embedding" else "digits"
    name, sample = next(iter(state.samples_for(model).items()))
    choice = state.Choice(state.Picked(name, sample, sample=True), model, 32, "crop")
    written, notices = opened(session, page, parameters, traces(kind), choice)
    assert_notices(notices)
    assert all(text and isinstance(text, str) for text in written.values())
    again, notices = opened(session, page, written, traces(kind), choice)
    assert again == written
    assert not notices


@given(links(link.CHOICE))
def test_the_link_of_a_choice_makes_it_again(session, parameters):
    session.clear()
    chosen, notices = link.read_choice(parameters, state.samples())
    assert all(isinstance(notice, str) and len(notice) < 500 for notice in notices)
    try:
        info = models.describe(chosen.get("model", "dinov2-small"))
    except vitviz.ModelError:  # a checkpoint that this server does not offer
        return
    image = chosen.get("image", "cat")
    picked = state.Picked(image, state.samples()[image], sample=True)
    choice = state.Choice(picked, info.name, chosen.get("size", info.sizes[0]), chosen.get("fit", "crop"))
    written = link.choice_parameters(choice)
    again, notices = link.read_choice(written, state.samples())
    assert not notices
    assert again == {"image": image, "model": choice.model, "size": choice.size, "fit": choice.fit}


@given(links(("guide", "tour")))
def test_a_link_opens_a_stop_of_a_guide_or_none(parameters):
    stop, notices = link.read_guide(parameters, COUNTS)
    assert_notices(notices)
    if stop is not None:
        guide, place = stop
        assert 0 <= place < COUNTS[guide]
        assert link.read_guide({"guide": f"{guide}-{place + 1}"}, COUNTS) == (stop, [])


@given(st.text() | odd_texts)
def test_any_name_of_a_parameter_is_read(name):
    assert len(link.find_misspelled([name])) <= 1


@given(
    st.sampled_from(LIKELY["edits"]).flatmap(mutated_text) | st.text(alphabet="hlptc0123456789.-xzmakf,", max_size=40)
)
def test_edits_are_written_as_they_are_read(text):
    found = handled(lambda: parse_edits(text, PLAIN, (4, 6)))
    if found is not None:
        assert parse_edits(format_edits(found, PLAIN, (4, 6)), PLAIN, (4, 6)) == found
