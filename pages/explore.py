"""Explore: attention of every head of every layer from the patch under the pointer."""

from vitviz.ui.app import shell
from vitviz.ui.pages.explore import page

shell.enter("pages/explore.py")
page.draw()
