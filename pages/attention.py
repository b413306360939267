"""Attention: one head by hand, from the sequence to what the model returns."""

from vitviz.ui.app import shell
from vitviz.ui.pages.attention import page

shell.enter("pages/attention.py")
page.draw()
