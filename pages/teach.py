"""Teach: a linear classifier for the user's own classes, fitted on the features of the model."""

from vitviz.ui.app import shell
from vitviz.ui.pages.teach import page

shell.enter("pages/teach.py")
page.draw()
