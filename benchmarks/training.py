"""Time slider over a training run: time of a page run on the server after a step of the slider."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from vitviz import zoo

from .measure import Row, spread

APP = str(Path(__file__).parents[1] / "app.py")
PAGES = ("explore", "lens", "tokens")
IMAGES = ("digit-0", "digit-3", "digit-8")
LIMIT = 0.3  # seconds
PATIENCE = 240  # seconds


def slider_step() -> Iterator[Row]:
    """Move the slider through all checkpoints of `digits`, for images whose results are not in the cache."""
    names = zoo.run_names("digits")
    for page in PAGES:
        seconds = [taken for image in IMAGES for taken in _steps(page, image, names)]
        yield Row(
            f"step of the time slider, page {page}",
            f"{np.median(seconds):.2f} s",
            f"≤ {LIMIT} s",
            bool(np.median(seconds) <= LIMIT),
            f"{spread(seconds, 's')}, {len(seconds)} steps; page run on the server, whose model and trace are not in "
            "memory on the first page",
        )


def _steps(page: str, image: str, names: tuple[str, ...]) -> list[float]:
    """Open a page at the first checkpoint, and return the seconds of each step to the last one."""
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    app.query_params.update({"model": names[0], "image": image})
    app.switch_page(f"pages/{page}.py").run()
    taken = []
    for name in names[1:]:
        begin = time.perf_counter()
        app.select_slider(key="training_step").set_value(name).run()
        taken.append(time.perf_counter() - begin)
    return taken
