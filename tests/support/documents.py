"""The README and the pages of docs/, as tests read them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = (README, *sorted((ROOT / "docs").rglob("*.md")))
NOT_RUN = re.compile(r"\s*<!-- not run: \S.* -->")  # in the line above a block of code, with the reason
FENCE = re.compile(r"\s*```(\w*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """Block of code in a document.

    Attributes:
        document: path of the document, relative to the repository.
        line: number of its first line.
        language: language of the block.
        code: its text.
        runs: whether it can be run alone.
    """

    document: str
    line: int
    language: str
    code: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(language: str, *documents: Path) -> list[Block]:
    """Return the blocks of code in a language, by default of all documents."""
    return [block for path in documents or DOCUMENTS for block in _blocks(path) if block.language == language]


def _blocks(path: Path) -> list[Block]:
    found, start, language, lines = [], 0, "", path.read_text("utf-8").splitlines()
    for at, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence and not start:
            start, language = at + 1, fence[1]
        elif fence:
            above = next((one for one in reversed(lines[: start - 1]) if one.strip()), "")
            code = textwrap.dedent("\n".join(lines[start:at])) + "\n"
            found.append(
                Block(str(path.relative_to(ROOT)), start + 1, language, code, runs=not NOT_RUN.fullmatch(above))
            )
            start = 0
    return found


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings of a document."""
    titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
