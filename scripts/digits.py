"""Data and constants of the shipped classifier `digits`, shared by training, model card and tests."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from vitviz import VisionTransformer
from vitviz.images import normalise, prepare, read_image
from vitviz.zoo import SHIPPED, assets

ENTRY = SHIPPED["digits"]
CONFIG, PREPROCESSING, WEIGHTS = ENTRY.config, ENTRY.preprocessing, ENTRY.path
SIDE = CONFIG.image_size[0]  # pixels
SEED = 0
CARD = assets() / "models" / "digits.md"
SAMPLES = assets() / "images" / "digits"
MARGIN = 1  # padding of a digit in `as_picture`, in pixels of the 8 x 8 original


@dataclass(frozen=True)
class Part:
    """Part of scikit-learn's digits.

    Attributes:
        numbers: indices in the data set, int [n].
        images: amount of ink, 0 to 1, float32 [n, 8, 8].
        labels: classes, int [n].
    """

    numbers: np.ndarray
    images: np.ndarray
    labels: np.ndarray


@cache
def load_split(seed: int = SEED) -> dict[str, Part]:
    """Split scikit-learn's 1797 handwritten digits into 70 % `train`, 10 % `validation` and 20 % `held-out`.

    The split is stratified by class and depends on the seed only.
    """
    data = load_digits()
    rest, held_out = train_test_split(
        np.arange(len(data.target)), test_size=0.2, stratify=data.target, random_state=seed
    )
    train, validation = train_test_split(rest, test_size=0.125, stratify=data.target[rest], random_state=seed)
    numbers = {"train": train, "validation": validation, "held-out": held_out}
    return {name: Part(i, data.images[i].astype(np.float32) / 16, data.target[i]) for name, i in numbers.items()}


def as_picture(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Enlarge a digit of 8 x 8 pixels, ink from 0 to 1, to dark ink on white paper: uint8 [side, side, 3]."""
    paper = Image.fromarray(np.pad(image.astype(np.float32), MARGIN))
    ink = np.asarray(paper.resize((side, side), Image.Resampling.BICUBIC)).clip(0, 1)
    return np.rint(255 * (1 - ink)).astype(np.uint8)[..., None].repeat(3, axis=2)


def as_input(pictures: list[np.ndarray]) -> torch.Tensor:
    """Convert images, uint8 [H, W, 3] of any size, to model input, float32 [image, 3, 32, 32], as the app does."""
    safe = (read_image(Image.fromarray(picture)) for picture in pictures)
    pixels = (prepare(image, SIDE, CONFIG.patch_size, preprocessing=PREPROCESSING).pixels for image in safe)
    return torch.from_numpy(np.stack([normalise(image, PREPROCESSING) for image in pixels]))


@torch.no_grad()
def classify(model: VisionTransformer, pictures: list[np.ndarray]) -> np.ndarray:
    """Return the predicted digit of each image, int [image]."""
    return model(as_input(pictures)).argmax(1).numpy()


def confusion(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return the confusion matrix, int [true digit, predicted digit]."""
    table = np.zeros((CONFIG.num_classes, CONFIG.num_classes), dtype=int)
    np.add.at(table, (labels, answers), 1)
    return table
