"""Tokens: similarity, principal components, norms and positions of the tokens after a layer."""

from vitviz.ui.app import shell
from vitviz.ui.pages.tokens import page

shell.enter("pages/tokens.py")
page.draw()
