"""Lens: what the model would say if it stopped after a layer, of the image and of each patch."""

from vitviz.ui.app import shell
from vitviz.ui.pages.lens import page

shell.enter("pages/lens.py")
page.draw()
