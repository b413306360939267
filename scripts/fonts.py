"""Fonts of the browser tests. Only these are available, so that layouts do not depend on the machine."""

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

SAMPLE = "H0mi"  # text to detect the font used by a browser
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
    """Set of font files that are included in matplotlib.

    Attributes:
        files: file names; any family and weight is rendered with one of them.
        drawn: PostScript name of the font for ordinary text, as reported by the browser.
    """

    files: tuple[str, ...]
    drawn: str


SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"
# Default fonts of Debian. They are wider than Arial, for which most pages are designed.
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
# Bold fonts only: all text is about 12 % wider than with STATED, and wider than Verdana.
WIDE = Fonts(("DejaVuSans-Bold.ttf", "DejaVuSans-BoldOblique.ttf", "DejaVuSansMono-Bold.ttf"), "DejaVuSans-Bold")


@contextmanager
def only(fonts: Fonts) -> Iterator[dict[str, str]]:
    """Create a temporary folder with these fonts and a fontconfig file until the `with` block ends.

    Yields:
        Environment variables that restrict a program to these fonts.

    Raises:
        RuntimeError: if one of the files is missing in matplotlib.
    """
    spec = find_spec("matplotlib")
    source = Path(spec.origin).parent / "mpl-data/fonts/ttf" if spec else Path("matplotlib")
    for file in fonts.files:
        if not (source / file).is_file():
            raise RuntimeError(f"The font {file} is missing in {source}; install requirements-dev.txt again.")
    with TemporaryDirectory(prefix="vitviz-fonts-") as folder:
        for file in fonts.files:
            (Path(folder) / file).symlink_to(source / file)
        configuration = Path(folder) / "fonts.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, sans=SANS, mono=MONO), "utf-8")
        yield {"FONTCONFIG_FILE": str(configuration), "FONTCONFIG_PATH": folder}


def check(browser: Browser, fonts: Fonts) -> None:
    """Check the font that a browser uses.

    Raises:
        RuntimeError: if it is another font. On systems without fontconfig, this is a warning.
    """
    page = browser.new_page()
    try:
        page.set_content(f"<p style='font: 16px Arial, sans-serif'>{SAMPLE}</p>")
        session = page.context.new_cdp_session(page)
        session.send("DOM.enable")
        session.send("CSS.enable")
        root = session.send("DOM.getDocument")["root"]["nodeId"]
        node = session.send("DOM.querySelector", {"nodeId": root, "selector": "p"})["nodeId"]
        used = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        drawn = [font["postScriptName"] for font in used]
    finally:
        page.close()
    if drawn == [fonts.drawn]:
        return
    message = f"The browser uses {', '.join(drawn) or 'no font'} instead of {fonts.drawn}."
    if sys.platform == "linux":
        raise RuntimeError(message)
    warnings.warn(f"{message} Fonts can be set on Linux only.", stacklevel=2)
