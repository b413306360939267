"""README and docs/: every snippet runs, every command is understood, and what they list exists."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors import safe_open
from typer.testing import CliRunner

import vitviz
from tests.support.command_line import COMMANDS, EIGHT, FOUR, objects
from tests.support.documents import DOCUMENTS, LINK, README, ROOT, anchors, blocks
from tests.support.heads import head_for, jpeg
from vitviz.analysis.attribution import METHODS
from vitviz.cli import app as cli
from vitviz.cli import compare_command, scan_command
from vitviz.ui.app import link
from vitviz.ui.app.lesson_section import SECTIONS
from vitviz.ui.app.registry import PAGES

DOCS = ROOT / "docs"
# Folders that a snippet may read; they are linked into a temporary folder, so that the repository stays unchanged.
BESIDE = ("assets", "examples", "vitviz")
# Pages of docs/reference
GENERATED = ("command-line", "library", "models", "analysis", "walkthrough", "callbacks", "files")
PYTHON, SHELL = blocks("python"), blocks("sh")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in BESIDE:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell_lines(*documents):
    """The lines of shell snippets, without comments and settings of the environment."""
    lines = [line.split("  # ")[0].strip() for block in blocks("sh", *documents) for line in block.code.splitlines()]
    return list(dict.fromkeys(re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in lines if line))


def commands(*documents):
    return [line for line in shell_lines(*documents) if line.startswith("vitviz ")]


# --- Snippets --------------------------------------------------------------------------------------------------------


def test_paths_in_snippets_exist():
    paths = [
        path for block in PYTHON + SHELL for path in re.findall(r"[\"' ]((?:assets|examples)/[\w./*-]+)", block.code)
    ]
    assert paths
    for path in paths:
        assert list(ROOT.glob(path)), path


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in PYTHON if block.runs], ids=str)
def test_each_python_snippet_runs_alone(block, folder):
    session = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(block.code, str(block), "exec"), session)
    if "attribution" in session:
        assert session["attribution"].map.shape == session["four"].grid
    if "mine" in session:
        assert session["mine"].labels == ("cat", "dog", "fox")


def test_snippets_that_do_not_run_are_python():
    """They are parts of a program, or need another package, and each says so in the line above."""
    for block in PYTHON:
        compile(block.code, str(block), "exec")
    assert {block.document for block in PYTHON if not block.runs} <= {"docs/extending.md", "docs/how-to/dataset.md"}


@pytest.mark.parametrize("block", [block for block in blocks("toml") if "arch" in block.code], ids=str)
def test_the_options_beside_a_checkpoint_are_read_as_they_stand(block, folder):
    said = tomllib.loads(block.code)
    model = timm.create_model(said["arch"], num_classes=2)
    torch.save(model.state_dict(), folder / "best.pth")
    (folder / "best.toml").write_text(block.code)
    (folder / said["classes"]).write_text("ant\nbee\n")
    loaded = vitviz.load(folder / "best.pth")
    assert loaded.labels == ("ant", "bee")
    assert list(loaded.preprocessing.mean) == said["mean"]
    assert list(loaded.preprocessing.std) == said["std"]
    assert not [note for note in loaded.notes if "mean" in note], "the file gives the mean"


# --- Commands --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("line", commands(README))
def test_a_command_of_the_readme_runs(line, folder):
    run = f"{sys.executable} -m vitviz.cli {line.removeprefix('vitviz ')}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("line", commands())
def test_a_command_is_understood(line, monkeypatch):
    for module, name in ((cli, "_run"), (cli, "_teach"), (scan_command, "_scan"), (compare_command, "_compare")):
        monkeypatch.setattr(module, name, lambda *_, **__: None)
    arguments = shlex.split(line)[1:]
    runs = arguments[0] in (*COMMANDS, "compare", "teach", "scan")
    done = CliRunner().invoke(cli.app, arguments if runs else [*arguments, "--help"])
    assert done.exit_code == 0, done.output


def test_shell_snippets_call_targets_that_are_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in shell_lines():
        program, _, argument = line.partition(" ")
        assert program != "make" or argument.split()[0] in targets, line
    assert {line.split()[0] for line in shell_lines(README)} <= {"make", "vitviz", "pip"}


# --- Lists -----------------------------------------------------------------------------------------------------------


def first_cells(text):
    """Names in code type in the first cells of the tables of a text."""
    cells = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_table_of_the_methods_has_all_of_them():
    text = (DOCS / "limits.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| \d+ of \d+ \|", text, re.MULTILINE)) == set(METHODS)
    papers = [method.paper.split(" 2")[0] for method in METHODS.values()]
    assert [paper for paper in papers if paper not in text] == []


def test_the_page_on_links_lists_all_parameters():
    text = (DOCS / "reference" / "links.md").read_text("utf-8")
    table, _, edits = text.partition("## Edits")
    assert set(first_cells(table)) == set(link.parameter_names())
    sections = edits.partition("## Sections")[2]
    assert [name for names in SECTIONS.values() for name in names if f"`{name}`" not in sections] == []
    trace = vitviz.load("digits").trace(FOUR)
    for edit in first_cells(edits):
        assert vitviz.notation.edits.parse_edits(edit, trace.config, trace.grid)


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_each_page_of_the_app_has_a_guide(page):
    text = (DOCS / "guides" / f"{page.name}.md").read_text("utf-8")
    assert text.startswith(f"# {page.title}\n")
    question = page.answers[0].lower() + page.answers[1:]
    assert f"**Question:** {question}" in text
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert (DOCS / "guides" / picture).is_file()


@pytest.mark.parametrize("path", [*(DOCS / "guides").glob("*.md"), DOCS / "start.md"], ids=lambda path: path.stem)
def test_guides_name_what_is_on_screen(path):
    """Bold type is for labels, and for leading words that end with a full stop or a colon."""
    text = path.read_text("utf-8")
    files = [file for ending in ("py", "html") for file in (ROOT / "vitviz").rglob(f"*.{ending}")]
    code = "\n".join(file.read_text("utf-8") for file in files)
    labels = [label for label in re.findall(r"\*\*(.+?)\*\*", text) if label[-1] not in ".:"]
    labels += re.findall(r"^\| (\d · [^|]+?) \|", text, re.MULTILINE)
    assert labels
    assert [label for label in labels if not re.search(rf"[\"'>]\s*{re.escape(label)}", code)] == []


# --- Data formats ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_on_formats_lists_what_commands_write(vit, written, tmp_path):
    text = (DOCS / "reference" / "formats.md").read_text("utf-8")
    _, _, rest = text.partition("## NumPy archives")
    archives, _, rest = rest.partition("## JSON lines")
    lines, _, _ = rest.partition("## Reports")
    keys, arrays = {"error", "skipped"}, set()
    head = tmp_path / "cups.safetensors"
    head_for(vitviz.load("digits")).save(head)
    for command in COMMANDS:
        done = vit(command, FOUR, "-m", "digits", "--linear-head", str(head), "--json", "--format", "npz")
        keys |= set(objects(done)[0])
    for data in written().values():
        arrays |= set(np.load(io.BytesIO(data)))
    assert set(first_cells(lines)) == keys
    assert set(re.findall(r"`(\w+)`", archives)) >= arrays


def test_the_page_on_formats_lists_the_tensors_of_a_trace(tmp_path):
    _, _, text = (DOCS / "reference" / "formats.md").read_text("utf-8").partition("## Trace files")
    patterns = [".+".join(map(re.escape, re.split(r"\{\w+\}", name))) for name in first_cells(text)]
    digits = vitviz.load("digits")
    for image in (FOUR, digits.trace(FOUR).pixels().copy()):
        source = image if isinstance(image, str) else torch.from_numpy(image)
        digits.trace(source, record="blocks.5.mlp.out").save(tmp_path / "four.trace")
        with safe_open(tmp_path / "four.trace", "numpy") as file:
            names = list(file.keys())
            assert [name for name in names if not any(re.fullmatch(one, name) for one in patterns)] == []
            assert f"`version` ({file.metadata()['version']})" in text
            assert all(f"`{name}`" in text for name in file.metadata())


def test_the_page_on_formats_lists_the_parts_of_a_head(tmp_path):
    _, _, text = (DOCS / "reference" / "formats.md").read_text("utf-8").partition("## Linear heads")
    text, _, _ = text.partition("\n## ")
    tensors, _, keys = text.partition("| key |")
    patterns = [".+".join(map(re.escape, re.split(r"\{\w+\}", name))) for name in first_cells(tensors)]
    head = replace(head_for(vitviz.load("digits")), thumbnails=[[jpeg()], [], []])
    head.save(tmp_path / "cups.safetensors", with_thumbnails=True)
    with safe_open(tmp_path / "cups.safetensors", "numpy") as file:
        names, metadata = list(file.keys()), file.metadata()
    assert all(sum(bool(re.fullmatch(one, name)) for one in patterns) == 1 for name in names)
    assert all(any(re.fullmatch(one, name) for name in names) for one in patterns)
    assert f"`version` ({metadata['version']})" in text
    assert all(f"`{name}`" in text for name in metadata)
    about = json.loads(metadata["head"])
    assert set(first_cells(keys)) == set(about)
    assert all(f"`{name}`" in keys for name in about["preprocessing"])


@pytest.mark.slow
def test_the_page_on_formats_lists_the_lines_of_teach(tmp_path):
    _, _, text = (DOCS / "reference" / "formats.md").read_text("utf-8").partition("## Lines of `vitviz teach`")
    text, _, _ = text.partition("\n## ")
    for name, sources in {"bad": (FOUR, __file__), "eight": (EIGHT, EIGHT)}.items():
        (tmp_path / name).mkdir()
        for i, source in enumerate(sources):
            (tmp_path / name / f"{i}.png").write_bytes(Path(source).read_bytes())
    out = str(tmp_path / "a.safetensors")
    done = CliRunner().invoke(cli.app, ["teach", str(tmp_path), "-o", out, "-m", "digits", "--json"])
    failed, *images, about = objects(done)
    assert set(first_cells(text)) == {name for one in (*images, about) for name in one}
    assert "`error`" in text
    assert failed["ok"] is False


# --- Links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path):
    """As in the repository; `test_site` checks the links of the site."""
    for target in LINK.findall(re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        generated = found.parent == DOCS / "reference" and found.stem in GENERATED
        assert generated or found.exists(), target
        assert generated or not anchor or anchor in anchors(found), target
