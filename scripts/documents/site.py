"""Documentation site: `make docs` builds it in the folder build/documents/site.

The pages are the Markdown files of docs/. The command line reference is generated from the program, the library
reference from docstrings. Other files of the repository that a page links to, such as CHANGELOG.md, are copied into the
site, so that a link works both in the repository and in the site.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import vitviz
from scripts.documents.links import broken_links

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FOLDER = ROOT / "build" / "documents"
SETTINGS = Path(__file__).with_name("zensical.toml")
OTHERS = "repository"  # folder in the site of files from outside docs/
LISTED = ("CONTRIBUTING.md", "CHANGELOG.md", "THIRD_PARTY.md")  # of these, the ones in the navigation
PUBLIC_MODULES = ("callbacks", "faithfulness", "tokens")  # public names of `vitviz` that are modules
LINK = re.compile(r"(?<!`)(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
FENCE = re.compile(r"^\s*```")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # in the output of the generator, even with NO_COLOR

# Public modules, by page of the library reference; the public names of `vitviz` have a page of their own.
MODULES = {
    "models": (
        "Models and traces",
        "zoo",
        "zoo.heads",
        "model.config",
        "model.hooks",
        "model.edits",
        "model.applied_edits",
        "trace.trace",
        "trace.vision_transformer",
        "trace.passes",
    ),
    "analysis": (
        "Analyses",
        "analysis.attention",
        "analysis.attribution",
        "analysis.attribution.faithfulness",
        "analysis.ablation",
        "analysis.alike",
        "analysis.classifier",
        "analysis.classifier.features.features",
        "analysis.comparison",
        "analysis.logit_lens",
        "analysis.predictions",
        "analysis.scan.measure",
        "analysis.tokens",
        "analysis.training",
        "analysis.default_view",
        "analysis.arithmetic",
    ),
    "walkthrough": (
        "Step by step",
        "walkthrough.sequence",
        "walkthrough.sequence.projection.projection",  # of the same name as its module, which hides it
        "walkthrough.steps",
        "walkthrough.checks",
        "walkthrough.soft_dictionary",
        "walkthrough.receptive_field",
        "walkthrough.quiz",
        "walkthrough.worksheet",
        "walkthrough.worksheet.dot_product.dot_product",
        "walkthrough.worksheet.prediction.prediction",
    ),
    "callbacks": ("Callbacks", "viz.callbacks"),
    "files": (
        "Images, pictures and notation",
        "images",
        "viz.colour",
        "viz.picture",
        "viz.overview",
        "viz.figures",
        "viz.scan_figures",
        "viz.export",
        "viz.inline",
        "notation.marks",
        "notation.view",
        "notation.queries",
        "notation.edits",
    ),
}


def build(folder: Path = FOLDER) -> Path:
    """Build the site and return its folder.

    Args:
        folder: folder for pages and site; its previous content is removed.

    Raises:
        RuntimeError: if the generator prints a warning, or the site has broken links.
    """
    shutil.rmtree(folder, ignore_errors=True)
    write_pages(folder / "source")
    shutil.copy(SETTINGS, folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    output = COLOUR.sub("", done.stdout + done.stderr)
    if done.returncode or re.search(r"warning|error", output, re.IGNORECASE):
        raise RuntimeError(f"The documentation cannot be built:\n{output}")
    if broken := broken_links(folder / "site"):
        raise RuntimeError("\n".join(["The documentation has broken links:", *broken]))
    return folder / "site"


def write_pages(source: Path) -> None:
    """Write all pages and their pictures, as the generator reads them."""
    pages = [path for path in DOCS.rglob("*") if path.is_file()]
    for path in [*pages, *(ROOT / name for name in LISTED)]:
        _copy(path, source)
    shutil.copy(ROOT / "assets" / "icon.svg", source / "images" / "icon.svg")
    reference = source / "reference"
    (reference / "command-line.md").write_text(command_line(), "utf-8")
    (reference / "library.md").write_text(public_names(), "utf-8")
    for name, (title, *modules) in MODULES.items():
        directives = "\n\n".join(f"::: vitviz.{module}" for module in modules)
        (reference / f"{name}.md").write_text(f"# {title}\n\n{directives}\n", "utf-8")


def command_line() -> str:
    """Return the page on the command line, which typer writes from the program itself."""
    command = [sys.executable, "-m", "typer", "vitviz.cli.app", "utils", "docs", "--name", "vitviz"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.replace("# `vitviz`", "# Command line", 1)


def public_names() -> str:
    """Return the page on the names that `import vitviz` offers."""
    names = [name for name in vitviz.__all__ if name not in PUBLIC_MODULES]
    listed = "\n\n".join(
        f"::: vitviz.{vitviz._MODULES[name]}.{name}\n"
        f"    options:\n      heading: vitviz.{name}\n      toc_label: {name}"
        for name in names
    )
    return (
        "# Public names\n\n"
        "`import vitviz` offers these names, and the modules `vitviz.tokens` and `vitviz.faithfulness`, which "
        "[Analyses](analysis.md) describes, and `vitviz.callbacks`, described in [Callbacks](callbacks.md).\n\n"
        f"{listed}\n"
    )


def _copy(path: Path, source: Path) -> None:
    """Copy a file into the site; for a page, also the files that it links to."""
    target = source / _place(path)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".md":
        shutil.copy(path, target)
        return
    target.write_text("", "utf-8")  # pages may link to each other
    lines, in_code = [], False
    for line in path.read_text("utf-8").splitlines():
        in_code ^= bool(FENCE.match(line))
        lines.append(line if in_code else LINK.sub(lambda match: _follow(match, path, source), line))
    target.write_text("\n".join(lines) + "\n", "utf-8")


def _follow(match: re.Match, page: Path, source: Path) -> str:
    """Copy the file that a link points to, and return the link as it is in the site."""
    before, link, after = match.groups()
    path = (page.parent / link).resolve()
    if re.match(r"[a-z]+:", link) or not path.is_file():  # missing files are reported by the generator
        return match.group()
    _copy(path, source)
    return f"{before}{os.path.relpath(source / _place(path), (source / _place(page)).parent)}{after}"


def _place(path: Path) -> Path:
    """Return the path of a file of the repository within the site."""
    return path.relative_to(DOCS) if path.is_relative_to(DOCS) else Path(OTHERS) / path.relative_to(ROOT)


if __name__ == "__main__":
    print(build() / "index.html")
