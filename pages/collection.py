"""Collection: the images of a scanned data set, with their predictions, heads and neighbours."""

from vitviz.notation.extras import require
from vitviz.ui.app import shell
from vitviz.ui.app.messages import show_errors

shell.enter("pages/collection.py")
with show_errors():
    require("data", "The page Collection")
    from vitviz.ui.pages.collection import page  # needs these packages

    page.draw()
