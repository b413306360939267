"""Lens: the model's prediction if it stopped after a layer, for the image and for each patch."""

from vitviz.ui.app import shell
from vitviz.ui.pages.lens import page

shell.enter("pages/lens.py")
page.draw()
