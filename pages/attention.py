"""Attention: one head by hand, from the sequence to the model output."""

from vitviz.ui.app import shell
from vitviz.ui.pages.attention import page

shell.enter("pages/attention.py")
page.draw()
