"""Tokens: what is alike in the space of the tokens, what stands out there, and what can be read from it."""

from vitviz.ui.app import shell
from vitviz.ui.pages.tokens import page

shell.enter("pages/tokens.py")
page.draw()
