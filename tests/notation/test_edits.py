"""vitviz.notation.edits: every edit has a notation; any other text is refused in one sentence."""

import json
from dataclasses import asdict
from itertools import product

import numpy as np
import pytest

from tests.conftest import SMALL
from vitviz.analysis.ablation.edit_tools import patch_edit
from vitviz.errors import EditError
from vitviz.model.edits import (
    ActivationCopy,
    ActivationPatch,
    HeadAblation,
    KeyMask,
    PatchAblation,
    SublayerAblation,
    Temperature,
)
from vitviz.notation.edits import MAX_EDITS, edit_label, format_edits, parse_edits

GRID = (4, 6)
EXAMPLES = {
    "h3.2z": HeadAblation(2, 1),
    "h1.3m": HeadAblation(0, 2, "mean"),
    "l2a": SublayerAblation(1),
    "l2am": SublayerAblation(1, "attention", "mean"),
    "l2f": SublayerAblation(1, "mlp"),
    "l3fm": SublayerAblation(2, "mlp", "mean"),
    "p1-1k": KeyMask(3),
    "p4-6m": PatchAblation(26),
    "t3.2x0.5": Temperature(2, 1, 0.5),
    "t1.1x100": Temperature(0, 0, 100),
    "t1.1x0.01": Temperature(0, 0, 0.01),
    "t1.1x1.234568": Temperature(0, 0, 1.2345678),
    "c3.2": ActivationCopy(2, 1),
    "c1a": ActivationCopy(0),
    "c1f": ActivationCopy(0, None, "mlp"),
}


def test_every_edit_has_a_text_and_every_text_its_edit():
    for text, edit in EXAMPLES.items():
        assert format_edits([edit], SMALL, GRID) == text
        assert parse_edits(text, SMALL, GRID) == (edit,)
        assert type(edit)(**json.loads(json.dumps(asdict(edit)))) == edit
    different = ["h3.2z", "l2am", "l2f", "p1-1k", "p4-6m", "t3.2x0.5", "c1a", "c1f"]
    assert format_edits(parse_edits(",".join(different), SMALL, GRID), SMALL, GRID) == ",".join(different)
    assert parse_edits("", SMALL, GRID) == ()
    assert format_edits([], SMALL, GRID) == ""


def test_all_edits_of_a_small_model_make_a_round_trip():
    places = list(product(range(3), range(3)))
    edits = [HeadAblation(*place, how) for place, how in product(places, ("zero", "mean"))]
    edits += [
        SublayerAblation(layer, part, how)
        for layer, part, how in product(range(3), ("attention", "mlp"), ("zero", "mean"))
    ]
    edits += [patch_edit(how, token) for token, how in product(range(3, 27), ("keys", "mean"))]
    edits += [Temperature(*place, value) for place, value in product(places, (0.01, 0.1, 1 / 3, 2, 99.999))]
    texts = {format_edits([edit], SMALL, GRID) for edit in edits}
    assert len(texts) == len(edits)
    assert all(parse_edits(format_edits([edit], SMALL, GRID), SMALL, GRID) == (edit,) for edit in edits)


@pytest.mark.parametrize(
    "text",
    [
        "h3.2", "h3.2zz", "h03.2z", "h0.1z", "h4.1z", "h1.4z", "h1.0z", "H1.1z", " h1.1z", "h1.1z ", "h1.1z\n",
        "h1.1z,", ",", ",h1.1z", "h1.1z,,h1.2z", "h1.1z;h1.2z", "h-1.1z", "h1.1.1z", "h1z", "l1", "l1z", "l4a", "l0a",
        "l1aa", "l1.1a", "p0k", "p25k", "p1", "p1z", "p1-0k", "p1-7k", "p5-1k", "p1-1-1k",
        "p99999k", "t1.1", "t1.1x", "t1.1x0", "t1.1x0.001",
        "t1.1x101", "t1.1x1e1", "t1.1x-1", "t1.1xnan", "t1.1xinf", "t1.1x.5", "t1.1x1.", "t1.1x1.2345678", "t1.1x1,5",
        "c1", "c4a", "c1.4", "c1.1a", "c1m", "x", "1", "null", "<script>", "h١.١z", "h1.1z" * 50, "h1.1z,h1.1m",
        "h1.1z,c1.1", "l1a,c1a", "p1k,p1m", "t1.1x2,t1.1x3", ",".join(f"p{i}k" for i in range(1, 25)), "9" * 100_000,
        "p1k," * 600 + "p1k", "\x1enone", "a\u2028b",
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(text):
    with pytest.raises(EditError) as caught:
        parse_edits(text, SMALL, GRID)
    message = str(caught.value)
    assert len(message) < 250
    assert message.endswith(".")
    assert message.isprintable()


def test_a_link_has_room_for_many_edits_but_not_for_any_number():
    assert len(parse_edits(",".join(f"p{i}k" for i in range(1, MAX_EDITS + 1)), SMALL, (30, 30))) == MAX_EDITS
    with pytest.raises(EditError, match="at most 500"):
        format_edits([KeyMask(token) for token in range(3, MAX_EDITS + 4)], SMALL, GRID)


def test_numbers_do_not_fit_into_a_link():
    with pytest.raises(EditError, match="ActivationPatch"):
        format_edits([ActivationPatch(0, 0, "attention", np.zeros((27, 8)))], SMALL, GRID)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("h3.2z", "Layer 3, head 2: ablated (zero)"),
        ("h3.2m", "Layer 3, head 2: ablated (mean over the tokens)"),
        ("l1f", "Layer 1, MLP: ablated (zero)"),
        ("p8k", "Patch (2, 2): masked"),
        ("t1.2x0.5", "Layer 1, head 2: temperature 0.5 (sharper attention)"),
        ("c1a", "Layer 1, attention: activations from the second image"),
        ("c1.2", "Layer 1, head 2: activations from the second image"),
    ],
)
def test_edits_in_words(text, words):
    (edit,) = parse_edits(text, SMALL, GRID)
    assert edit_label(edit, SMALL, GRID) == words
