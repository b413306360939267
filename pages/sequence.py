"""Image to sequence: one scrolling story from the photo to the rows of numbers that enter the first block."""

from vitviz.ui.app import shell
from vitviz.ui.pages.sequence import page

shell.enter("pages/sequence.py")
page.draw()
