"""Intervene: switch parts of the model off, and see what changes."""

from vitviz.ui.app import shell
from vitviz.ui.pages.intervene import page

shell.enter("pages/intervene.py")
page.draw()
