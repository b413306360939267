"""Explain: attribution maps of several methods, and their faithfulness."""

from vitviz.ui.app import shell
from vitviz.ui.pages.explain import page

shell.enter("pages/explain.py")
page.draw()
