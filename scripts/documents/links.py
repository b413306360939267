"""Check of the links in a folder of HTML pages."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}


class _Page(HTMLParser):
    """Page with its anchors and links.

    Attributes:
        anchors: identifiers of its elements.
        links: tag, attribute and value of each link.
    """

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            if name in ("href", "src"):
                self.links.append((tag, name, value or ""))


def broken_links(folder: Path) -> list[str]:
    """Return a line for each link to a missing page, file or anchor, and for each file loaded from another host."""
    pages = {path.resolve(): _Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":  # shown at any address, so its links begin at the root of a server
            continue
        for tag, name, link in page.links:
            if problem := _problem(path, tag, name, link, pages):
                broken.append(f"{path.relative_to(folder.resolve())}: {link}: {problem}")
    return broken


def _problem(page: Path, tag: str, name: str, link: str, pages: dict[Path, _Page]) -> str:
    address, anchor = urldefrag(link)
    parts = urlsplit(address)
    if parts.scheme == "data":
        return ""
    if parts.scheme or parts.netloc:
        loaded = (tag, name) in LOADED
        return "loaded from another host" if loaded else ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "missing"
    if anchor and target in pages and unquote(anchor) not in pages[target].anchors:
        return "no such anchor"
    return ""
