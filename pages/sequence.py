"""Image to sequence: from the image to the token sequence that enters the first block."""

from vitviz.ui.app import shell
from vitviz.ui.pages.sequence import page

shell.enter("pages/sequence.py")
page.draw()
