"""The page "Teach" with images in its classes, without a browser."""

from streamlit.testing.v1 import AppTest

from tests.support.app_pages import dropped, opened, picture
from tests.support.taught_images import images
from vitviz.ui.app import state
from vitviz.ui.pages.teach import collection
from vitviz.ui.pages.teach.collection import TaughtClass, TaughtImage

FILES = "class_sets_files"
COUNT = 6
SETS = {"bars": images(0, COUNT), "lines": images(1, COUNT)}
LABELS = [name for name, files in SETS.items() for _ in files]
DATA = [data for files in SETS.values() for data in files]


def page(**parameters: str) -> AppTest:
    return opened("teach", **{"model": "digits", **parameters})


def as_class(number: int, name: str, files: list[bytes], series: list[str] | None = None) -> TaughtClass:
    """A class with images that are in the session already."""
    members = [
        TaughtImage(state.Picked(f"{name} {i}.png", data, sample=False), picture(8, "JPEG"), one)
        for i, (data, one) in enumerate(zip(files, series or [""] * len(files), strict=True))
    ]
    return TaughtClass(number, name, tuple(members))


def with_classes(app: AppTest, *classes: TaughtClass) -> AppTest:
    app.session_state["settings"]["teach_classes"] = classes
    return fine(app.run())


def taught_page(**parameters: str) -> AppTest:
    return with_classes(page(**parameters), *(as_class(i, *one) for i, one in enumerate(SETS.items(), 1)))


def fine(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error, [error.value for error in app.error]
    return app


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.main.get("html"))


def give(app: AppTest, number: int, name: str, data: bytes, series: int = 0) -> AppTest:
    return dropped(app, FILES, f"{number}.{series}.{name}", data)


def classes(app: AppTest) -> dict[str, list[str]]:
    """Names of the images by class."""
    found = app.session_state["settings"].get("teach_classes", collection.CLASSES.default)
    return {one.name: [image.picked.name for image in one.images] for one in found}
