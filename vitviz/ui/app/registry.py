"""Registry of the pages: one entry describes a page, and everything else that names pages reads it here."""

from collections.abc import Sequence
from typing import NamedTuple

from ..pages.attention.settings import SETTINGS as OF_ATTENTION
from ..pages.explain.settings import SETTINGS as OF_EXPLAIN
from ..pages.explore.settings import SETTINGS as OF_EXPLORE
from ..pages.intervene.settings import SETTINGS as OF_INTERVENE
from ..pages.lens.settings import SETTINGS as OF_LENS
from ..pages.sequence.settings import SETTINGS as OF_SEQUENCE
from ..pages.tokens.settings import SETTINGS as OF_TOKENS
from .settings import Setting


class PageEntry(NamedTuple):
    """One page.

    Attributes:
        name: of its file in the folder `pages`, which is its address, too.
        title: in the navigation.
        icon: one of Material Symbols.
        answers: the question that it answers; empty for the first page, which has the others' questions on it.
        settings: those that its links hold; `shell` reads and writes them. The context of each is the `Choice`.
        guide: the guide that is offered on it.
    """

    name: str
    title: str
    icon: str
    answers: str = ""
    settings: tuple[Setting, ...] = ()
    guide: str = "tour"

    @property
    def file(self) -> str:
        """The page's file, as Streamlit names it."""
        return f"pages/{self.name}.py"


_pages = [
    PageEntry("start", "Start", ":material/home:"),
    PageEntry("explore", "Explore", ":material/visibility:", "Where does each head look from this patch?", OF_EXPLORE),
    PageEntry(
        "sequence",
        "Image to sequence",
        ":material/grid_on:",
        "How does an image become tokens?",
        OF_SEQUENCE,
        guide="lesson",
    ),
    PageEntry(
        "attention",
        "Attention",
        ":material/hub:",
        "How does one head compute its weights?",
        OF_ATTENTION,
        guide="lesson",
    ),
    PageEntry("tokens", "Tokens", ":material/scatter_plot:", "Which tokens are alike, and which stand out?", OF_TOKENS),
    PageEntry("explain", "Explain", ":material/lightbulb:", "Which patches mattered for the output?", OF_EXPLAIN),
    PageEntry("intervene", "Intervene", ":material/tune:", "What changes without this head or patch?", OF_INTERVENE),
    PageEntry("lens", "Lens", ":material/layers:", "What would the model say after each layer?", OF_LENS),
]
PAGES: Sequence[PageEntry] = _pages  # in the order of the navigation; the first one is the page at the bare address


def register(page: PageEntry) -> None:
    """Add a page after all others.

    Raises:
        ValueError: if another page has its name.
    """
    if any(other.name == page.name for other in PAGES):
        raise ValueError(f"There is a page {page.name!r} already.")
    _pages.append(page)


def unregister(name: str) -> None:
    """Take a page away."""
    _pages.remove(page_at(name))


def page_at(address: str) -> PageEntry:
    """The page at an address, which is its name; at the bare address the first one.

    Raises:
        KeyError: if there is none.
    """
    return {page.name: page for page in PAGES}[address or PAGES[0].name]
