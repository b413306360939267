"""vitviz.analysis.ablation.edit_tools: edits made by clicks on parts of the model."""

import pytest

from vitviz.analysis.ablation.edit_tools import TOOLS, head_edit, replace_edits, sublayer_edit, toggle_edits
from vitviz.errors import EditError
from vitviz.model.edits import ActivationCopy, HeadAblation, KeyMask, PatchAblation, SublayerAblation, Temperature


def test_a_click_switches_and_the_next_one_switches_back():
    edits = toggle_edits((), [HeadAblation(2, 1)])
    assert edits == (HeadAblation(2, 1),)
    assert toggle_edits(edits, [HeadAblation(2, 1)]) == ()
    assert toggle_edits(edits, [HeadAblation(2, 1, "mean")]) == (HeadAblation(2, 1, "mean"),)
    row = [HeadAblation(2, head) for head in range(3)]
    assert set(toggle_edits(edits, row)) == set(row), "a row that is off in part is switched off"
    assert toggle_edits(toggle_edits(edits, row), row) == ()


def test_one_thing_at_a_time_is_done_to_a_part():
    edits = (KeyMask(3),)
    for tool in TOOLS:
        edits = toggle_edits(edits, [head_edit(tool, 1, 2, 0.5)])
    assert edits == (KeyMask(3), ActivationCopy(1, 2))
    edits = replace_edits(edits, [Temperature(1, 2, 2.0), PatchAblation(3)])
    assert edits == (Temperature(1, 2, 2.0), PatchAblation(3))
    assert [sublayer_edit(tool, 1, "mlp") for tool in ("zero", "mean", "copy")] == [
        SublayerAblation(1, "mlp"),
        SublayerAblation(1, "mlp", "mean"),
        ActivationCopy(1, None, "mlp"),
    ]
    with pytest.raises(EditError, match="temperature"):
        sublayer_edit("temperature", 1, "mlp")
