"""Cost of attribution methods relative to a forward pass, and their faithfulness on held-out digits."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

import vitviz
from scripts import digits
from vitviz.analysis.attribution import METHODS
from vitviz.analysis.attribution.faithfulness import curves, random_curves

from .library import PHOTO, input_tensor
from .measure import Row, interleaved, ratio_row

LIMITS = {"rollout": 1.5, "gradient_attention": 4.0, "legrad": 4.0}
IMAGES = 100


def cost() -> Iterator[Row]:
    """Compare `explain(model, tensor)`, including its forward pass, with a forward pass alone."""
    model = vitviz.load("dinov2-small")
    image = input_tensor(model, 224)
    other = vitviz.SimilarityTarget.of([model.trace(PHOTO.with_name("flower.jpg"))], "the flower")

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return model(image[None])

    def explaining(method: str) -> Callable[[], object]:
        return lambda: vitviz.explain(model, image, method=method, target=other)

    *times, passes = interleaved(*map(explaining, LIMITS), forward, rounds=24, warm_up=3)
    for (method, limit), of_method in zip(LIMITS.items(), times, strict=True):
        yield ratio_row(
            f"explain by {method}, 224 px, against a forward pass", of_method, passes, (method, "pass"), limit
        )


def faithfulness() -> Iterator[Row]:
    """Measure the deletion AUC of the top-1 class on held-out digits; lower is better."""
    model = vitviz.load("digits")
    images = digits.as_input([digits.as_picture(image) for image in digits.load_split()["held-out"].images[:IMAGES]])
    areas = {method: [] for method in (*METHODS, "random")}
    for image in images:
        trace = model.trace(image)
        for method in METHODS:
            values = vitviz.explain(model, trace, method=method).map
            areas[method].append(curves(model, trace, values, None, baseline="mean").deletion_auc)
        areas["random"].append(random_curves(model, trace, None, baseline="mean").deletion_auc)
    mean = {method: float(np.mean(values)) for method, values in areas.items()}
    best = min(METHODS, key=mean.get)
    wins = np.mean(np.less(areas[best], areas["random"]))
    yield Row(
        f"deletion AUC, {len(images)} held-out digits: {best}, the best method",
        f"{mean[best]:.3f}",
        f"< {mean['random']:.3f} (random)",
        mean[best] < mean["random"],
        f"{', '.join(f'{method} {area:.3f}' for method, area in sorted(mean.items(), key=lambda pair: pair[1]))}; "
        f"{best} is below the mean of 5 random orders for {wins:.0%} of the digits; patches become the mean colour, "
        "in 16 steps; probability of the top-1 class",
    )
