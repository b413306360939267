"""The fonts that a browser of the tests finds: those stated here and no others, so that no machine decides a layout."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

SHOWN = "H0mi"  # some letters, to ask a browser which font draws them
CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{folder}</dir>
  <cachedir>{folder}/cache</cachedir>
  <match target="font">
    <edit name="antialias" mode="assign"><bool>true</bool></edit>
    <edit name="hinting" mode="assign"><bool>true</bool></edit>
    <edit name="hintstyle" mode="assign"><const>hintslight</const></edit>
    <edit name="rgba" mode="assign"><const>none</const></edit>
  </match>
  <match target="pattern">
    <test name="family" qual="any" compare="contains"><string>mono</string></test>
    <edit name="family" mode="assign" binding="same"><string>{mono}</string></edit>
  </match>
  <match target="pattern">
    <test name="family" qual="all" compare="not_eq"><string>{mono}</string></test>
    <edit name="family" mode="assign" binding="same"><string>{sans}</string></edit>
  </match>
</fontconfig>
"""


@dataclass(frozen=True)
class Fonts:
    """The fonts of a machine, as files that matplotlib carries in its folder of fonts, with their licence.

    Attributes:
        files: file names. Whatever weight or family a page asks for, it is drawn with one of them.
        drawn: the PostScript name of the font that draws ordinary text, as the browser calls it.
    """

    files: tuple[str, ...]
    drawn: str


SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"
# What a Debian machine has that was never given fonts. It is wider than the Arial that most pages are written for.
STATED = Fonts(
    (
        "DejaVuSans.ttf",
        "DejaVuSans-Bold.ttf",
        "DejaVuSans-Oblique.ttf",
        "DejaVuSans-BoldOblique.ttf",
        "DejaVuSansMono.ttf",
        "DejaVuSansMono-Bold.ttf",
    ),
    "DejaVuSans",
)
# Only bold cuts: all text is some 12 % wider again than the stated font, and wider than Verdana.
WIDE = Fonts(("DejaVuSans-Bold.ttf", "DejaVuSans-BoldOblique.ttf", "DejaVuSansMono-Bold.ttf"), "DejaVuSans-Bold")


@contextmanager
def only(fonts: Fonts) -> Iterator[dict[str, str]]:
    """Make a folder with these fonts and a fontconfig of its own until the `with` block ends.

    Yields:
        The environment variables under which a program finds these fonts and no others.

    Raises:
        RuntimeError: if matplotlib does not carry one of the files.
    """
    found = find_spec("matplotlib")
    carried = Path(found.origin).parent / "mpl-data/fonts/ttf" if found else Path("matplotlib")
    for file in fonts.files:
        if not (carried / file).is_file():
            raise RuntimeError(f"The font {file} is missing in {carried}: install requirements-dev.txt again.")
    with TemporaryDirectory(prefix="vitviz-fonts-") as folder:
        for file in fonts.files:
            (Path(folder) / file).symlink_to(carried / file)
        configuration = Path(folder) / "fonts.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, sans=SANS, mono=MONO), "utf-8")
        yield {"FONTCONFIG_FILE": str(configuration), "FONTCONFIG_PATH": folder}


def check(browser: Browser, fonts: Fonts) -> None:
    """Ask a browser which font draws text.

    Raises:
        RuntimeError: if it is not the one that was stated. Where fonts are not chosen by fontconfig, this is a warning.
    """
    page = browser.new_page()
    try:
        page.set_content(f"<p style='font: 16px Arial, sans-serif'>{SHOWN}</p>")
        session = page.context.new_cdp_session(page)
        session.send("DOM.enable")
        session.send("CSS.enable")
        root = session.send("DOM.getDocument")["root"]["nodeId"]
        node = session.send("DOM.querySelector", {"nodeId": root, "selector": "p"})["nodeId"]
        found = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        drawn = [font["postScriptName"] for font in found]
    finally:
        page.close()
    if drawn == [fonts.drawn]:
        return
    said = f"The browser draws text with {', '.join(drawn) or 'no font'} although {fonts.drawn} was stated."
    if sys.platform == "linux":
        raise RuntimeError(said)
    warnings.warn(f"{said} Only on Linux can fonts be stated.", stacklevel=2)
