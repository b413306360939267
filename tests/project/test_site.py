"""Documentation site: it is built without warnings, has no broken links, and its references are complete."""

import re
from importlib import import_module
from types import ModuleType

import pytest
import typer.main

import vitviz
from scripts.documents import site
from scripts.documents.links import broken_links
from tests.support.documents import DOCUMENTS, README
from tests.support.public_calls import public_calls
from vitviz.cli.app import app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site; building it fails for every warning and every broken link."""
    return site.build(tmp_path_factory.mktemp("documents"))


def text_of(built, name):
    return (built / name).read_text("utf-8")


def test_every_document_is_a_page(built):
    pages = {path.relative_to(site.DOCS).with_suffix(".html") for path in DOCUMENTS if path != README}
    assert [page for page in pages if not (built / page).is_file()] == []
    entries = re.findall(r'"([\w/.-]+\.md)"', site.SETTINGS.read_text("utf-8"))
    assert {str(page.with_suffix(".md")) for page in pages} <= set(entries), "the navigation has all pages"
    assert all((built / entry).with_suffix(".html").is_file() for entry in entries)


def test_the_reference_has_all_public_names(built, small, photo):
    page = text_of(built, "reference/library.html")
    for name in vitviz.__all__:
        assert (name in site.PUBLIC_MODULES) == isinstance(getattr(vitviz, name), ModuleType)
        if name not in site.PUBLIC_MODULES:
            assert re.search(rf'id="vitviz\.{vitviz._MODULES[name]}\.{name}"[^>]*>\s*vitviz\.{name}\s', page), name
    pages = "".join(text_of(built, f"reference/{name}.html") for name in site.MODULES)
    assert [name for name in re.findall(r'id="(vitviz\.[\w.]+)"', pages) if not exists(name)] == []
    called = [name for name in public_calls(small, photo) if not name.startswith("vitviz.")]
    assert called
    for name in called:  # a function with the name of its module is listed in that module
        assert re.search(rf'id="vitviz\.{name}(\.{name.rpartition(".")[2]})?"', pages), name


def exists(name):
    """Return True if a dotted name is a module or something in one; fields of a class need no value."""
    try:
        return bool(resolved(name))
    except AttributeError:
        return False


def resolved(name):
    try:
        return import_module(name)
    except ModuleNotFoundError:
        home, _, last = name.rpartition(".")
        found = resolved(home)
        return found if isinstance(found, type) else getattr(found, last)


def test_the_command_line_page_has_all_commands_and_options(built):
    page = text_of(built, "reference/command-line.html")
    commands = typer.main.get_command(app).commands
    assert commands
    for name, command in commands.items():
        assert f"vitviz {name}" in page
        for option in (option for parameter in command.params for option in parameter.opts if option[0] == "-"):
            assert option in page, (name, option)


def test_nothing_is_drawn_by_scripts_of_other_hosts(built):
    """The theme would load them for diagrams and formulas."""
    for path in built.rglob("*.html"):
        assert not re.search(r'class="(mermaid|arithmatex)', path.read_text("utf-8")), path


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<h1 id="here">A</h1><a href="b.html#there">b</a><a href="#here">here</a>')
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html#nowhere">a</a><a href="https://example.org">x</a>')
    assert [line.split(":")[0] for line in broken_links(tmp_path)] == ["b.html"]
    (tmp_path / "b.html").write_text(
        '<p id="there"><a href="c.html">c</a><script src="https://example.org/x.js"></script><img src="x.png">'
    )
    assert len(broken_links(tmp_path)) == 3


def test_a_warning_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "MODULES", {name: (title,) for name, (title, *_) in site.MODULES.items()})
    monkeypatch.setattr(site, "public_names", lambda: "# Public names\n")
    monkeypatch.setattr(site, "command_line", lambda: "# Command line\n\n[nowhere](nowhere.md)\n")
    with pytest.raises(RuntimeError, match=r"reference/command-line\.md:3"):
        site.build(tmp_path)
