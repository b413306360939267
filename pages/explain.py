"""Explain: which patches made the model say what it says, by methods that can be compared."""

from vitviz.ui.app import shell
from vitviz.ui.pages.explain import page

shell.enter("pages/explain.py")
page.draw()
