"""Notebooks in examples/: they run without errors and are stored without outputs."""

import functools
import json
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
FOUND = """
import json

mark = (0, SIDE // PATCH - 1)  # row and column
json.dumps({
    "cell": [label, prediction, int(count)],
    "places": [[int(at) for at in suspect], mark],
    "head": [layer, head],
    "ablated": [[one.layer, one.head] for one in ablated],
    "leads": [float(one) for one in leads],
    "results": results.T.values.tolist(),
    "heads": len(heads),
})
"""


@functools.cache
def executed(path):
    """The notebook with the outputs of a run; a last cell returns what was found."""
    notebook = nbformat.read(path, 4)
    if path.stem == "find_a_shortcut":
        notebook.cells.append(nbformat.v4.new_code_cell(FOUND))
    return NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()


@pytest.fixture
def run(monkeypatch, tmp_path):
    for name, value in {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "IPYTHONDIR": str(tmp_path),  # ignore user settings
        "JUPYTER_PLATFORM_DIRS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return executed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, run):
    shown = [output for cell in run(path).cells for output in cell.get("outputs", ())]
    assert not [output for output in shown if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in shown) >= 3


def test_the_shortcut_is_found_and_ablated(run):
    """With wide margins: another processor rounds differently, and training makes another model of it."""
    output = run(ROOT / "examples" / "find_a_shortcut.ipynb").cells[-1].outputs[-1].data["text/plain"]
    found = json.loads(re.fullmatch(r"'(.*)'", output).group(1))
    label, prediction, count = found["cell"]
    assert prediction == "triangle" != label
    assert count >= 10
    suspect, mark = found["places"]
    assert suspect == mark
    assert found["ablated"][0] == found["head"]
    assert len(found["ablated"]) <= found["heads"] / 3
    assert found["leads"][0] > 0 > found["leads"][-1]
    plain, marked, _, misled = zip(found["results"][0], found["results"][-1], strict=True)
    assert plain[0] > 0.8
    assert plain[1] > plain[0] - 0.3
    assert marked[1] > marked[0] + 0.1
    assert misled[1] < misled[0] - 0.2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
