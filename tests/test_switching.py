"""vitviz.analysis.ablation.switching: what a click does to a part, and what the next one does."""

import pytest

from vitviz.analysis.ablation.switching import TOOLS, head_edit, part_edit, replaced, switched
from vitviz.errors import EditError
from vitviz.model.edits import Copied, HeadOff, LayerOff, PatchOff, Temperature


def test_a_click_switches_and_the_next_one_switches_back():
    edits = switched((), [HeadOff(2, 1)])
    assert edits == (HeadOff(2, 1),)
    assert switched(edits, [HeadOff(2, 1)]) == ()
    assert switched(edits, [HeadOff(2, 1, "mean")]) == (HeadOff(2, 1, "mean"),)
    row = [HeadOff(2, head) for head in range(3)]
    assert set(switched(edits, row)) == set(row), "a row that is off in part is switched off"
    assert switched(switched(edits, row), row) == ()


def test_one_thing_at_a_time_is_done_to_a_part():
    edits = (PatchOff(3),)
    for tool in TOOLS:
        edits = switched(edits, [head_edit(tool, 1, 2, 0.5)])
    assert edits == (PatchOff(3), Copied(1, 2))
    edits = replaced(edits, [Temperature(1, 2, 2.0), PatchOff(3, "mean")])
    assert edits == (Temperature(1, 2, 2.0), PatchOff(3, "mean"))
    assert [part_edit(tool, 1, "mlp") for tool in ("zero", "mean", "copy")] == [
        LayerOff(1, "mlp"),
        LayerOff(1, "mlp", "mean"),
        Copied(1, None, "mlp"),
    ]
    with pytest.raises(EditError, match="Only heads have a temperature"):
        part_edit("temperature", 1, "mlp")
