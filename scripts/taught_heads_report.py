"""Figure and tables of the accuracy of taught heads, from the stored counts; see `scripts/taught_heads.py`."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitviz.viz.colour import ATTENTION, KEY
from vitviz.zoo import assets

RESULTS = assets() / "models" / "taught-heads.json"
DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, FIGURE = DOCS / "taught-heads.md", DOCS / "figures" / "taught-heads.svg"
PACKAGES = ("torch", "scikit-learn", "numpy", "pillow")
TITLES = {"crops": "Crops of six photographs", "digits": "Handwritten digits"}
COLOURS = {"token": ATTENTION, "token+mean": KEY}
NAMES = {"token": "class token", "token+mean": "class token and mean"}
KINDS = {False: "softmax", True: "binary"}
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"  # in the page
INK, GRID = "#3b3a45", "#dedde6"


def save(model: str, size: int, seed: int, sets: dict[str, dict]) -> None:
    """Write the counts with what they depend on."""
    about = {
        "model": model,
        "size": size,
        "seed": seed,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    RESULTS.write_text(_as_json({**about, "sets": sets}), "utf-8")


def _as_json(results: dict) -> str:
    """Format the results with one head on a line."""
    sets = results["sets"]
    lines = [f' "{key}": {json.dumps(value)},' for key, value in results.items() if key != "sets"]
    for name, one in sets.items():
        rows = ",\n".join(f"   {json.dumps(row, separators=(',', ':'))}" for row in one["rows"])
        facts = ", ".join(f'"{key}": {json.dumps(one[key])}' for key in ("classes", "test"))
        lines.append(f'  "{name}": {{{facts}, "rows": [\n{rows}\n  ]}}{"" if name == [*sets][-1] else ","}')
    at = len(lines) - len(sets)
    return "\n".join(["{", *lines[:at], ' "sets": {', *lines[at:], " }", "}", ""])


def stored() -> dict:
    """Read the stored counts."""
    return json.loads(RESULTS.read_text("utf-8"))


def accuracies(results: dict, row: dict) -> np.ndarray:
    """Return the accuracy of each draw: float64 [draw].

    Args:
        results: results of one set of images.
        row: one of its rows.
    """
    return np.sum(row["correct"], axis=1) / sum(results["test"])


def write() -> str:
    """Write the figure and the tables in the page. Return the tables."""
    results = stored()
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_text(figure(results), "utf-8")
    text = tables(results)
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), text), "utf-8")
    return text


def with_tables(page: str, text: str) -> str:
    """Return the page with other tables."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}"


def tables(results: dict) -> str:
    """Format the results as Markdown, with the versions that they were measured with."""
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    about = (
        f"Measured on {results['date']} with `{results['model']}` at {results['size']} px, seed {results['seed']}, "
        f"{versions}."
    )
    parts = [f"### {TITLES[name]}\n\n{_counts(one)}\n\n{_table(one)}" for name, one in results["sets"].items()]
    return "\n\n".join([about, *parts])


def _counts(one: dict) -> str:
    draws = len(one["rows"][0]["correct"])
    return (
        f"{len(one['classes'])} classes, {sum(one['test'])} test images, {draws} draws: mean accuracy in percent, and "
        "that of the worst and the best draw."
    )


def _table(one: dict) -> str:
    """Format the accuracy of each head, a row for each number of images per class."""
    heads = _by_head(one)
    lines = [
        "| images per class | " + " | ".join(f"{NAMES[pooling]}, {KINDS[binary]}" for pooling, binary in heads) + " |",
        "| --: |" + " --: |" * len(heads),
    ]
    for row in zip(*heads.values(), strict=True):
        found = (100 * accuracies(one, head) for head in row)
        cells = (f"{values.mean():.1f} ({values.min():.1f} to {values.max():.1f})" for values in found)
        lines.append(f"| {row[0]['images']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_head(one: dict) -> dict[tuple[str, bool], list[dict]]:
    heads: dict[tuple[str, bool], list[dict]] = {}
    for row in one["rows"]:
        heads.setdefault((row["pooling"], row["binary"]), []).append(row)
    return heads


def figure(results: dict) -> str:
    """Draw the accuracy against the number of images per class, as SVG with its own background and plain text."""
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "vitviz",
        "font.family": "sans-serif",
        "font.size": 11,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with mpl.rc_context(settings):
        drawing = Figure(figsize=(9, 4.4), layout="constrained", facecolor="white")
        sets = results["sets"]
        for axes, (name, one) in zip(drawing.subplots(1, len(sets), sharey=True), sets.items(), strict=True):
            _draw(axes, one)
            axes.set_title(TITLES[name], fontsize=12)
        drawing.axes[0].set_ylabel("held-out accuracy, %")
        drawing.legend(*drawing.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        buffer = StringIO()
        drawing.savefig(buffer, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _draw(axes: Axes, one: dict) -> None:
    """Draw one line for each head, with the range of its draws."""
    heads = _by_head(one)
    for place, ((pooling, binary), rows) in enumerate(heads.items()):
        values = [100 * accuracies(one, row) for row in rows]
        means = np.array([found.mean() for found in values])
        ranges = [means - [found.min() for found in values], [found.max() for found in values] - means]
        apart = 1.05 ** (place - (len(heads) - 1) / 2)  # so that the ranges do not cover each other
        axes.errorbar(
            [row["images"] * apart for row in rows],
            means,
            ranges,
            color=COLOURS[pooling],
            linestyle="--" if binary else "-",
            marker="s" if binary else "o",
            markersize=4,
            linewidth=1.6,
            elinewidth=0.9,
            label=f"{NAMES[pooling]}, {KINDS[binary]}",
        )
    counts = [row["images"] for row in next(iter(heads.values()))]
    axes.set_xscale("log")
    axes.set_xticks(counts, map(str, counts))
    axes.minorticks_off()
    axes.set_xlabel("images per class")
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
