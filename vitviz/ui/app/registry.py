"""The pages of the app: what each is called, and the question that it answers."""

from typing import NamedTuple


class PageEntry(NamedTuple):
    """One page.

    Attributes:
        name: of its file in the folder `pages`, which is its address, too.
        title: in the navigation.
        icon: one of Material Symbols.
        answers: the question that it answers; empty for the first page, which has the others' questions on it.
    """

    name: str
    title: str
    icon: str
    answers: str = ""

    @property
    def file(self) -> str:
        """The page's file, as Streamlit names it."""
        return f"pages/{self.name}.py"


PAGES = (
    PageEntry("start", "Start", ":material/home:"),
    PageEntry("explore", "Explore", ":material/visibility:", "Where does each head look from this patch?"),
    PageEntry("sequence", "Image to sequence", ":material/grid_on:", "How does an image become tokens?"),
    PageEntry("attention", "Attention", ":material/hub:", "How does one head compute its weights?"),
    PageEntry("tokens", "Tokens", ":material/scatter_plot:", "Which tokens are alike, and which stand out?"),
    PageEntry("explain", "Explain", ":material/lightbulb:", "Which patches mattered for the output?"),
    PageEntry("intervene", "Intervene", ":material/tune:", "What changes without this head or patch?"),
    PageEntry("lens", "Lens", ":material/layers:", "What would the model say after each layer?"),
)
