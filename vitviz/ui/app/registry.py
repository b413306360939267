"""Registry of the pages. Each page has one entry, which is the only description of the page."""

from collections.abc import Sequence
from typing import NamedTuple

from ...notation.variables import RUNS, Variable
from ..pages.attention.settings import SETTINGS as OF_ATTENTION
from ..pages.collection.settings import SETTINGS as OF_COLLECTION
from ..pages.explain.settings import SETTINGS as OF_EXPLAIN
from ..pages.explore.settings import SETTINGS as OF_EXPLORE
from ..pages.intervene.settings import SETTINGS as OF_INTERVENE
from ..pages.lens.settings import SETTINGS as OF_LENS
from ..pages.sequence.settings import SETTINGS as OF_SEQUENCE
from ..pages.teach.settings import SETTINGS as OF_TEACH
from ..pages.tokens.settings import SETTINGS as OF_TOKENS
from .lesson_section import SECTION
from .settings import Setting


class PageEntry(NamedTuple):
    """Entry of a page.

    Attributes:
        name: name of its file in the folder `pages`, and its address.
        title: title in the navigation.
        icon: name of a Material Symbol.
        answers: question that the page answers; empty for the first page, which lists the questions of the others.
        settings: settings in its links, read and written by `shell`. Their context is the `Choice`.
        guide: guide offered on the page.
        needs: environment variable without which the page is not offered; None for a page that always is.
    """

    name: str
    title: str
    icon: str
    answers: str = ""
    settings: tuple[Setting, ...] = ()
    guide: str = "tour"
    needs: Variable | None = None

    @property
    def file(self) -> str:
        """File of the page, relative to app.py."""
        return f"pages/{self.name}.py"


_pages = [
    PageEntry("start", "Start", ":material/home:"),
    PageEntry(
        "explore", "Explore", ":material/visibility:", "What does this patch attend to in each head?", OF_EXPLORE
    ),
    PageEntry(
        "sequence",
        "Image to sequence",
        ":material/grid_on:",
        "How does an image become tokens?",
        (*OF_SEQUENCE, SECTION["sequence"]),
        guide="lesson",
    ),
    PageEntry(
        "attention",
        "Attention",
        ":material/hub:",
        "How does one head compute its weights?",
        (*OF_ATTENTION, SECTION["attention"]),
        guide="lesson",
    ),
    PageEntry(
        "tokens", "Tokens", ":material/scatter_plot:", "Which tokens are similar, and which are outliers?", OF_TOKENS
    ),
    PageEntry("explain", "Explain", ":material/lightbulb:", "Which patches mattered for the output?", OF_EXPLAIN),
    PageEntry(
        "intervene",
        "Intervene",
        ":material/tune:",
        "What changes if I ablate this head or mask this patch?",
        OF_INTERVENE,
    ),
    PageEntry("lens", "Lens", ":material/layers:", "What would the model predict after each layer?", OF_LENS),
    PageEntry("teach", "Teach", ":material/school:", "Can the model learn my own classes?", OF_TEACH),
    PageEntry(
        "collection",
        "Collection",
        ":material/photo_library:",
        "Which images of a data set are odd, alike or wrong?",
        OF_COLLECTION,
        needs=RUNS,
    ),
]
PAGES: Sequence[PageEntry] = _pages  # in the order of the navigation; the first page has the empty address


def offered() -> list[PageEntry]:
    """Return the pages that this server offers."""
    return [page for page in PAGES if page.needs is None or page.needs.text]


def register(page: PageEntry) -> None:
    """Add a page after all others.

    Raises:
        ValueError: if the name is taken.
    """
    if any(other.name == page.name for other in PAGES):
        raise ValueError(f"The page {page.name!r} exists already; choose another name.")
    _pages.append(page)


def unregister(name: str) -> None:
    """Remove a page."""
    _pages.remove(page_at(name))


def page_at(address: str) -> PageEntry:
    """Return the page at an address, which is its name; the first page for an empty address.

    Raises:
        KeyError: if the page does not exist.
    """
    return {page.name: page for page in PAGES}[address or PAGES[0].name]
