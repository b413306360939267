"""Map of the model: its steps follow the configuration, every one leads to a section, and the present one is marked."""

from dataclasses import replace

import pytest

from tests.support import random_models as kinds
from tests.support.fake_browser import Browser, message
from tests.support.node_runner import run
from vitviz.model.config import RoPE
from vitviz.ui.app import lesson_section
from vitviz.ui.components._shared import Listener
from vitviz.ui.components.diagram import Group, Step, all_steps, component, diagram, model_steps
from vitviz.zoo import SHIPPED

SECTIONS = {  # without those about the page itself
    page: [name for name in page_names if name not in ("questions", "summary")]
    for page, page_names in lesson_section.SECTIONS.items()
}
CONFIGS = {
    **kinds.CONFIGS,
    "plain": kinds.PLAIN,
    "post-norm": replace(kinds.PLAIN, block="post"),
    "parallel": replace(kinds.PLAIN, block="parallel"),
    "hybrid": replace(kinds.PLAIN, stem=True),
    "rotary": replace(kinds.PLAIN, position_embedding=False, rope=RoPE()),
    "without positions": replace(kinds.PLAIN, position_embedding=False),
    "norms everywhere": replace(kinds.PLAIN, norm="rms", patch_norm=True, pre_norm=True, fc_norm=True, mlp="gated"),
    "without a classifier": replace(kinds.PLAIN, num_classes=0, final_norm=False, pooling="token+mean"),
    "one head, one layer": replace(kinds.PLAIN, num_heads=1, depth=1),
    **{name: entry.config for name, entry in SHIPPED.items()},
}


def names(config, **options):
    return [step.name for step in all_steps(model_steps(config, (4, 6), **options))]


def step(config, name, **options):
    (found,) = [step for step in all_steps(model_steps(config, (4, 6), **options)) if step.name == name]
    return found


def block_of(config, **options):
    (block,) = [group for group in model_steps(config, (4, 6), **options) if isinstance(group, Group)]
    return block


def written(steps):
    """Steps and groups as nested lists of labels."""
    return [one.label if isinstance(one, Step) else [one.kind, *written(one.steps)] for one in steps]


ATTENTION = ["attention", "attention", "q k v", "scores", "softmax", "values"]


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("layer_scale", [True, False])
def test_every_step_leads_to_a_section_and_every_section_has_a_step(kind, layer_scale):
    steps = list(all_steps(model_steps(CONFIGS[kind], (4, 6), layer_scale=layer_scale)))
    assert len({step.name for step in steps}) == len(steps)
    assert all(step.label and step.meaning and step.sections for step in steps)
    reached = {section for step in steps for section in step.sections}
    wanted = {f"{page}/{name}" for page, page_names in SECTIONS.items() for name in page_names}
    # a model without positions and prefix tokens has no step for them
    assert wanted - reached <= {"sequence/positions"}
    assert reached <= wanted
    after_pooling = steps[[step.name for step in steps].index("pooling") :]
    assert all(step.sections == ("attention/output",) for step in after_pooling), "no other section marks them"
    assert ("sequence/positions" in reached) == (
        names(CONFIGS[kind]).count("prefix") + names(CONFIGS[kind]).count("positions") > 0
    )


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        ("pre", [["residual", "LN", ATTENTION, "LS", "+"], ["residual", "LN", "MLP", "LS", "+"]]),
        ("post", [["residual", ATTENTION, "LN", "LS", "+"], ["residual", "MLP", "LN", "LS", "+"]]),
        ("parallel", [["residual", "LN", ["parallel", ATTENTION, "MLP"], "LS", "+"]]),
    ],
)
def test_blocks_are_drawn_in_the_order_of_their_computation(block, wanted):
    config = replace(kinds.PLAIN, block=block)
    assert written(block_of(config, layer_scale=True).steps) == wanted
    without = written(block_of(config).steps)
    assert "LS" not in str(without)
    assert str(without) == str(wanted).replace("'LS', ", "")
    assert str(config.depth) in block_of(config).note


def test_the_steps_of_the_sequence():
    assert names(kinds.PLAIN)[:7] == ["image", "patches", "vectors", "tokens", "prefix", "positions", "sequence"]
    assert names(kinds.CONFIGS["mean"])[:6] == ["image", "patches", "vectors", "tokens", "positions", "sequence"]
    hybrid = names(replace(kinds.PLAIN, stem=True))
    assert hybrid[:4] == ["image", "stem", "patches", "tokens"]
    assert "vectors" not in hybrid
    everywhere = names(CONFIGS["norms everywhere"])
    assert everywhere.index("patch_norm") == everywhere.index("tokens") + 1
    assert everywhere.index("pre_norm") == everywhere.index("sequence") - 1
    assert everywhere[-4:] == ["norm", "pooling", "fc_norm", "output"]
    assert {step(CONFIGS["norms everywhere"], name).label for name in ("norm", "norm1", "norm2", "fc_norm")} == {"RMS"}
    assert "norm" not in names(CONFIGS["without a classifier"])
    assert "positions" not in names(CONFIGS["without positions"])
    assert "RoPE" in step(CONFIGS["rotary"], "positions").label


def test_the_numbers_are_those_of_the_model():
    config = kinds.CONFIGS["mean with registers"]  # 32 x 48 pixels, patches of 8, 24 numbers, 2 registers
    notes = {name: step(config, name).note for name in ("image", "patches", "vectors", "tokens", "prefix", "sequence")}
    assert notes == {
        "image": "32 × 48 × 3",
        "patches": "4 × 6",
        "vectors": "24 × 192",
        "tokens": "24 × 24",
        "prefix": "2",
        "sequence": "26 × 24",
    }
    assert (step(config, "mlp").note, step(config, "output").note) == ("48", "5")
    assert "3" in step(config, "attention").note


@pytest.mark.parametrize(
    ("kind", "options", "label", "note"),
    [
        ("plain", {}, "classes", "5"),
        ("plain", {"is_classifier": False}, "feature", "5"),
        ("without a classifier", {}, "feature", "48"),
    ],
)
def test_the_output(kind, options, label, note):
    output = step(CONFIGS[kind], "output", **options)
    assert (output.label, output.note) == (label, note)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_pooling_is_described(kind):
    config = CONFIGS[kind]
    assert config.pooling_description in step(config, "pooling").meaning
    assert ("CLS" in step(config, "pooling").label) == (config.pooling in ("token", "token+mean", "distilled"))


def test_differential_attention_has_two_softmaxes():
    assert "two softmaxes" in step(CONFIGS["differential"], "softmax").meaning
    assert "relative position bias" in step(CONFIGS["relative"], "scores").meaning
    assert "RoPE" in step(CONFIGS["rotary"], "qkv").meaning


# ---------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("value", "chosen"),
    [("attention/scores", ["attention/scores"]), ("attention/nothing", []), ("https://x.org", []), (None, []), (3, [])],
)
def test_only_sections_of_the_map_can_be_opened(monkeypatch, value, chosen):
    opened = []
    steps = model_steps(kinds.PLAIN, (4, 6))
    here = Listener("a section", str, opened.append)
    browser = Browser(monkeypatch, component, lambda: diagram(steps, "sequence", opened.append, on_here=here, key="it"))
    browser.tell(message(1, "go", value))
    assert opened == chosen
    assert browser.drawn["data"]["page"] == "sequence"
    assert browser.drawn["data"]["arrival"] == 0, "nothing to scroll to"


# ---------------------------------------------------------------- in the browser


@pytest.mark.parametrize(
    ("height", "wanted"), [(-10, "a"), (100, "a"), (249, "a"), (250, "c"), (399, "c"), (400, "d"), (9999, "d")]
)
def test_the_reader_is_in_the_last_section_that_began(height, wanted):
    script = 'import { sectionAt } from "./diagram/position.js"; answer(sectionAt(...given));'
    sections = [
        {"name": name, "top": top, "bottom": bottom}
        for name, top, bottom in (("a", 50, 250), ("hidden", 0, 0), ("c", 250, 400), ("d", 400, 900))
    ]
    assert run(script, [sections, height]) == wanted


def test_a_page_without_sections_has_no_place():
    script = 'import { sectionAt } from "./diagram/position.js"; answer(sectionAt([], 100) ?? null);'
    assert run(script) is None


def test_sections_of_a_page():
    script = 'import { namesOn } from "./diagram/position.js"; answer(namesOn(...given));'
    sections = ["attention/output", "sequence/input", "attention/network"]
    assert run(script, ["attention", sections]) == ["output", "network"]
    assert run(script, ["", sections]) == []


def test_the_present_step_is_in_the_middle_of_a_narrow_row():
    script = 'import { centred } from "./diagram/position.js"; answer(centred(...given));'
    row = {"left": 10, "width": 100}
    assert run(script, [{"left": 150, "width": 20}, row, 30]) == 30 + 100  # its middle moves from 160 to 60
