"""Check of the files that browsers receive."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import VitvizError
from ...notation.installation import app_folder
from .check import Check

PACKAGE = Path(__file__).parents[2]
PARTS = ("ui", "viz")  # folders of the package with such files
EXPLORER = tuple(f"viz/explorer/{name}" for name in ("explorer.css", "explorer.html", "linked.css", "screen.css"))
OTHERS = ("viz/browser/theme.css", *EXPLORER)  # named by no component
SUFFIXES = (".js", ".css", ".html")
_IMPORT = re.compile(r'^\s*import\s[^"]*from "(\.\.?/[^"]+)";', re.MULTILINE)


def check_files(package: Path = PACKAGE) -> Iterator[Check]:
    """Check that the files of all browser components, and the other scripts and styles, are present and not empty.

    Args:
        package: folder of the package vitviz.
    """
    folders = sorted(path.parent for path in (package / "ui" / "components").glob("[!_]*/__init__.py"))
    needed = {path for folder in folders for path in _files_of(folder)} | {package / name for name in OTHERS}
    found = {path for part in PARTS for path in (package / part).rglob("*") if path.suffix in SUFFIXES}
    needed |= {path for script in found if script.suffix == ".js" for path in _imports_of(script)}
    missing = sorted(path.relative_to(package).as_posix() for path in needed if not path.is_file())
    empty = sorted(path.relative_to(package).as_posix() for path in found if not path.stat().st_size)
    facts = {"components": [folder.name for folder in folders], "files": len(found), "missing": missing, "empty": empty}
    if folders and not missing and not empty:
        summary = f"{len(folders)} components; {len(found)} scripts, styles and pages."
        yield Check("components", "ok", facts, summary)
        return
    problems = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"empty: {', '.join(empty)}"] * bool(empty)
    summary = f"Files in vitviz: {'; '.join(problems) or 'no components'}."
    advice = "Install vitviz again; in a clone of the repository, run git checkout vitviz."
    yield Check("components", "failure", facts, summary, advice)


def check_app() -> Iterator[Check]:
    """Check that the script and the pages of the app are there."""
    try:
        folder = app_folder()
    except VitvizError as error:
        yield Check("app", "failure", {"script": None}, "The script of the app was not found.", str(error))
        return
    script = folder / "app.py"
    pages = sorted(path.stem for path in (folder / "pages").glob("*.py"))
    yield Check("app", "ok", {"script": str(script), "pages": pages}, f"{script} with {len(pages)} pages.")


def _files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that a component consists of: a script and a style sheet, and markup unless it uses another's."""
    for call in ast.walk(ast.parse((folder / "__init__.py").read_text("utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Component":
            name = ast.literal_eval(call.args[0])
            yield folder / f"{name}.js"
            yield folder / f"{name}.css"
            if not any(keyword.arg == "base" for keyword in call.keywords) and not _is_bare(call):
                yield folder / f"{name}.html"


def _is_bare(call: ast.Call) -> bool:
    """Return True for a component that acts on the page itself, so that it may have no markup."""
    return any(keyword.arg == "isolated" for keyword in call.keywords)


def _imports_of(script: Path) -> Iterator[Path]:
    """Yield the modules that a module imports."""
    for target in _IMPORT.findall(script.read_text("utf-8")):
        yield (script.parent / target).resolve()
