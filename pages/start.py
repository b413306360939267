"""Start: introduction, choice of an image, and links to all pages."""

from vitviz.ui.app import shell
from vitviz.ui.pages.start import page

shell.enter("pages/start.py")
page.draw()
