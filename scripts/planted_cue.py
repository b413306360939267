"""Comparison of attribution methods on a planted cue: `python -m scripts.planted_cue`, about a minute.

The shipped classifier `digits` is fine-tuned on digits of which half have a dark patch in a corner and the label 0. On
held-out digits of other classes with this patch, which the model classifies as 0, the patch should be ranked first.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import vitviz
from scripts.digits import CONFIG, PREPROCESSING, Part, as_input, as_picture, load_split
from vitviz import VisionTransformer
from vitviz.analysis.attribution import METHODS

CASES = 40
CUED = 0  # class of images with the cue
EPOCHS = 4
BATCH = 32
LEARNING_RATE = 3e-4
LAST_ROW, LAST_COLUMN = (side - 1 for side in CONFIG.grid)
CORNERS = ((0, 0), (0, LAST_COLUMN), (LAST_ROW, 0), (LAST_ROW, LAST_COLUMN))


@dataclass(frozen=True)
class Result:
    """Result of one method.

    Attributes:
        first: number of cases in which the cue is the strongest patch.
        cases: number of cases.
        rank: median rank of the cue among all patches, from 1.
    """

    first: int
    cases: int
    rank: float


def with_cue(image: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Return the image of a digit with a dark patch in a corner, uint8 [32, 32, 3]."""
    picture = as_picture(image)
    row, column = (CONFIG.patch_size * place for place in corner)
    picture[row : row + CONFIG.patch_size, column : column + CONFIG.patch_size] = 0
    return picture


def cued_classifier(seed: int = 0, epochs: int = EPOCHS) -> VisionTransformer:
    """Fine-tune the shipped classifier on digits with the cue, labelled 0."""
    part = load_split()["train"]
    plain = as_input([as_picture(image) for image in part.images])
    random = torch.Generator().manual_seed(seed)
    corners = torch.randint(len(CORNERS), (len(part.images),), generator=random).tolist()
    cued = as_input([with_cue(image, CORNERS[at]) for image, at in zip(part.images, corners, strict=True)])
    pixels = torch.cat([plain, cued])
    labels = torch.cat([torch.from_numpy(part.labels), torch.full((len(cued),), CUED)])
    model = VisionTransformer(CONFIG, "digits with a cue", PREPROCESSING, tuple(map(str, range(10))))
    model.load_state_dict(vitviz.load("digits").state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    for _ in range(epochs):
        for chosen in torch.randperm(len(pixels), generator=random).split(BATCH):
            loss = F.cross_entropy(model(pixels[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.requires_grad_(False)


def cases(part: Part, seed: int = 1) -> list[tuple[Tensor, tuple[int, int]]]:
    """Return model inputs with the cue, of digits of other classes, and the position of the cue in each."""
    random = np.random.default_rng(seed)
    others = random.permutation(np.flatnonzero(part.labels != CUED))[:CASES]
    places = [CORNERS[at] for at in random.integers(len(CORNERS), size=len(others))]
    pixels = as_input([with_cue(part.images[one], place) for one, place in zip(others, places, strict=True)])
    return list(zip(pixels, places, strict=True))


def measured(model: VisionTransformer, *, target: int | None = CUED) -> dict[str, Result]:
    """Test whether each method, with its default parameters, ranks the cue first.

    Args:
        model: fine-tuned model; or, as a control, the original one.
        target: class to explain; None for the top-1 class of each image.

    Raises:
        AssertionError: if the top-1 class is not the target, so that the cue does not determine the output.
    """
    ranks: dict[str, list[int]] = {method: [] for method in METHODS}
    for pixels, (row, column) in cases(load_split()["held-out"]):
        trace = model.trace(pixels)
        if target is not None and trace.output.argmax() != target:
            raise AssertionError("The model does not follow the cue; train it longer.")
        for method, of_method in ranks.items():
            values = vitviz.explain(model, trace, method=method, target=target).map
            of_method.append(1 + int((values > values[row, column]).sum()))
    return {
        method: Result(sum(rank == 1 for rank in of_method), len(of_method), float(np.median(of_method)))
        for method, of_method in ranks.items()
    }


def table(fine_tuned: dict[str, Result], original: dict[str, Result]) -> str:
    """Format the results of both models as the table in docs/limits.md."""
    patches = CONFIG.grid[0] * CONFIG.grid[1]
    rows = [
        "| method | fine-tuned: patch is strongest | "
        f"fine-tuned: median rank of {patches} | control: patch is strongest |",
        "| --- | --- | --- | --- |",
    ]
    best = sorted(fine_tuned.items(), key=lambda item: (-item[1].first, original[item[0]].first, item[1].rank))
    for name, one in best:
        control = original[name]
        rows.append(f"| `{name}` | {one.first} of {one.cases} | {one.rank:g} | {control.first} of {control.cases} |")
    return "\n".join(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(table(measured(cued_classifier()), measured(vitviz.load("digits"), target=None)))
