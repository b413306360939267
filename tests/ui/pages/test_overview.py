"""Map of the model on the pages: it follows the model, opens the other page, and the two pages link to each other."""

from tests.support.app_pages import opened, query, start
from vitviz.ui.app import state
from vitviz.ui.components.diagram import all_steps
from vitviz.ui.pages.lesson import overview

TITLES = {"sequence": "From image to sequence", "attention": "Attention"}


def shown_title(app) -> str:
    assert not app.exception
    assert not app.error
    return app.title[0].value


def test_a_section_of_the_other_page_opens_that_page_and_is_remembered_for_the_map():
    app = opened("sequence", model="digits")
    app.session_state[overview.LEAVES] = "attention/softmax"
    app.run()
    assert shown_title(app) == TITLES["attention"]
    section, number = app.session_state[overview.ARRIVES]
    assert section == "attention/softmax"
    assert overview.LEAVES not in app.session_state
    app.session_state[overview.LEAVES] = "attention/softmax"
    app.run()
    assert shown_title(app) == TITLES["attention"]
    assert app.session_state[overview.ARRIVES][1] > number, "scrolled to again"
    app.session_state[overview.LEAVES] = "sequence/positions"
    app.run()
    assert shown_title(app) == TITLES["sequence"]


def test_a_step_on_start_opens_its_page():
    app = start(model="digits")
    app.session_state[overview.LEAVES] = "attention/qkv"
    app.run()
    assert shown_title(app) == TITLES["attention"]
    assert query(app)["model"] == "digits"


def test_the_pages_link_to_each_other():
    for page, other in (("sequence", "attention"), ("attention", "sequence")):
        links = [one.proto.page for one in opened(page, model="digits").get("page_link")]
        assert other in links


def test_the_map_follows_model_and_size():
    picked = state.Picked("cat", state.samples()["cat"], sample=True)
    notes = {}
    for model, size in (("dinov2-small", 224), ("dinov2-small", 448), ("digits", 32)):
        steps = overview.steps(state.Choice(picked, model, size, "crop"))
        notes[model, size] = {step.name: step.note for step in all_steps(steps)}
    assert notes["dinov2-small", 224]["patches"] == "16 × 16"
    assert notes["dinov2-small", 448]["patches"] == "32 × 32"
    assert notes["digits", 32]["patches"] == "8 × 8"
    assert "scale1" in notes["dinov2-small", 224], "DINOv2 has LayerScale"
    assert notes["digits", 32]["output"] == "10"
