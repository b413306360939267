"""Cost of an output image of the command line relative to the forward pass."""

from collections.abc import Callable, Iterator

import vitviz
from vitviz.cli.attention import Attention
from vitviz.cli.report import thumbnail
from vitviz.cli.result import trace_image
from vitviz.viz.export import PICTURES

from .library import PHOTO
from .measure import Row, interleaved, ratio_row

LIMIT = 1.0  # relative to a forward pass, so that writing at most doubles the time of a run


def pictures() -> Iterator[Row]:
    """Draw an overlay with caption at the default size and encode it; also for a report."""
    model = vitviz.load("dinov2-small")
    analysis = Attention(None, "mean", None, "from", "relative")
    image = trace_image(model, PHOTO, None, None)

    def written(kind: str) -> Callable[[], bytes]:
        return lambda: analysis.run(image).file(kind)

    def in_a_report() -> bytes:
        result = analysis.run(image)
        result.file("jpeg")
        return thumbnail(result.picture.copy())

    names = [*(f"{kind} image" for kind in PICTURES), "image of a report, full size and thumbnail"]
    actions = [*map(written, PICTURES), in_a_report]
    *times, passes = interleaved(*actions, lambda: model.trace(image.trace.image), rounds=20, warm_up=2)
    for name, of_image in zip(names, times, strict=True):
        yield ratio_row(f"{name}, against a forward pass, 224 px", of_image, passes, (name, "pass"), LIMIT)
