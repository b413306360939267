"""Many images of a folder: features, outputs and statistics of attention, against timm's outputs with a DataLoader."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import vitviz
from vitviz.analysis.scan.measure import measure
from vitviz.trace.batches import input_batches

from .library import PHOTO, check_alike, timm_model
from .measure import Row, interleaved, spread

COUNT = 256
SIZE = 224
SIDES = (500, 375)  # pixels of the files, about those of ImageNet
AT_ONCE = 8  # images of a forward pass, on both sides
WORKERS = 2
ROUNDS = 3


class Files(Dataset):
    """Image files as inputs of timm's model.

    Args:
        paths: files.
        transform: timm's evaluation transform.
    """

    def __init__(self, paths: list[Path], transform: Callable[[Image.Image], torch.Tensor]):
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB"))


def many_images() -> Iterator[Row]:
    """Compare rates of images, decoding included: traces and measurements of vitviz, outputs of timm."""
    ours, theirs = vitviz.load("dinov2-small"), timm_model(SIZE)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder))

        def by_timm() -> np.ndarray:
            loader = DataLoader(Files(paths, timm_transform(ours)), batch_size=AT_ONCE, num_workers=WORKERS)
            with torch.inference_mode():
                return np.concatenate([theirs(batch).numpy() for batch in loader])

        def by_trace_batch() -> np.ndarray:
            traces = vitviz.trace_batch(ours, paths, size=SIZE, batch_size=AT_ONCE, workers=WORKERS)
            return np.stack([trace.output for trace in traces])

        def by_measure(head_statistics: bool) -> np.ndarray:
            batches = input_batches(ours, paths, SIZE, batch_size=AT_ONCE, workers=WORKERS)
            measured = [measure(ours, batch, head_statistics=head_statistics) for batch in batches]
            return np.concatenate([one.feature for one in measured])

        actions = {
            "traces of {}, through trace_batch": (by_trace_batch, 0.95),
            "features and outputs of {}": (partial(by_measure, False), 0.95),
            "features, outputs and statistics of every head of {}": (partial(by_measure, True), 0.6),
        }
        expected = by_timm()
        for run, _ in actions.values():
            check_alike(run(), expected)
        times = interleaved(by_timm, *(run for run, _ in actions.values()), rounds=ROUNDS, warm_up=0)
    for (quantity, (_, least)), series in zip(actions.items(), times[1:], strict=True):
        yield rate_row(quantity.format(f"{COUNT} JPEG files, {SIZE} px"), series, times[0], least)


def rate_row(quantity: str, ours: np.ndarray, theirs: np.ndarray, least: float) -> Row:
    """Return the row of a rate of images relative to timm's, from times in seconds [rounds]."""
    ratio = float(np.median(theirs) / np.median(ours))
    pairs = theirs / ours
    return Row(
        f"rate of images: {quantity}, against timm's outputs with a DataLoader",
        f"{ratio:.2f} ×",
        f"≥ {least:.2f} ×",
        ratio >= least,
        f"vitviz {spread(COUNT / ours, 'images/s')}, timm {spread(COUNT / theirs, 'images/s')}, batches of {AT_ONCE}, "
        f"{WORKERS} threads and {WORKERS} worker processes for decoding; ratios of {len(ours)} pairs "
        f"{pairs.min():.2f} to {pairs.max():.2f}",
    )


def write_files(folder: Path) -> list[Path]:
    """Write JPEG files with different parts of the sample photographs, and return their paths."""
    photos = [Image.open(path).convert("RGB") for path in sorted(PHOTO.parent.glob("*.jpg"))]
    random, paths = np.random.default_rng(0), []
    for i in range(COUNT):
        photo = photos[i % len(photos)]
        left, top, right, bottom = random.uniform((0, 0, 0.7, 0.7), (0.3, 0.3, 1, 1)) * (*photo.size, *photo.size)
        paths.append(folder / f"{i:03}.jpg")
        photo.resize(SIDES, Image.Resampling.BICUBIC, box=(left, top, right, bottom)).save(paths[-1], quality=90)
    return paths


def timm_transform(model: vitviz.VisionTransformer) -> Callable[[Image.Image], torch.Tensor]:
    """Return timm's evaluation transform with the preprocessing of a model."""
    preprocessing = model.preprocessing
    return timm.data.create_transform(
        (3, SIZE, SIZE),
        mean=preprocessing.mean,
        std=preprocessing.std,
        interpolation=preprocessing.interpolation,
        crop_pct=preprocessing.crop_fraction,
    )
