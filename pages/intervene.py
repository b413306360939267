"""Intervene: ablate or patch parts of the model, and compare before and after."""

from vitviz.ui.app import shell
from vitviz.ui.pages.intervene import page

shell.enter("pages/intervene.py")
page.draw()
