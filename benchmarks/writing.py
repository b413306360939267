"""Cost of a picture of the command line, against the forward pass that it shows."""

from collections.abc import Callable, Iterator

import vitviz
from vitviz.cli.attention import Attention
from vitviz.cli.report import thumbnail
from vitviz.cli.result import trace_image
from vitviz.viz.export import PICTURES

from .library import PHOTO
from .measure import Row, interleaved, ratio_row

LIMIT = 1.0  # of a pass: a run over many images takes as long as the model does, and at most once more


def pictures() -> Iterator[Row]:
    """Draw a map over its photo at the usual size, burn in the caption and encode it; also for a report."""
    model = vitviz.load("dinov2-small")
    question = Attention(None, "mean", None, "from", "relative")
    seen = trace_image(model, PHOTO, None, None)

    def written(kind: str) -> Callable[[], bytes]:
        return lambda: question.run(seen).file(kind)

    def in_a_report() -> bytes:
        found = question.run(seen)
        found.file("jpeg")
        return thumbnail(found.picture.copy())

    names = [*(f"a {kind} picture" for kind in PICTURES), "an image of a report, full and small picture"]
    actions = [*map(written, PICTURES), in_a_report]
    *times, passes = interleaved(*actions, lambda: model.trace(seen.trace.image), rounds=20, warm_up=2)
    for name, of_picture in zip(names, times, strict=True):
        yield ratio_row(f"{name}, against the pass that it shows, 224 px", of_picture, passes, (name, "pass"), LIMIT)
