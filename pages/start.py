"""Start: what this is, an image to begin with, and what each page answers."""

from vitviz.ui.app import shell
from vitviz.ui.pages.start import page

shell.enter("pages/start.py")
page.draw()
