"""Compare: two images in one model, one image in two models, and a model before and after training."""

from vitviz.ui.app import shell
from vitviz.ui.pages.compare import page

shell.enter("pages/compare.py")
page.draw()
