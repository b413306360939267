"""Explore: point at a patch and see where every head of every layer looks."""

from vitviz.ui.app import shell
from vitviz.ui.pages.explore import page

shell.enter("pages/explore.py")
page.draw()
