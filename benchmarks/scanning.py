"""Scans of data sets: images per second, growth of the memory, and the share of reading."""

import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import vitviz
from vitviz.analysis.scan.loading import Input, load_ahead
from vitviz.analysis.scan.sources import open_source

from .library import PHOTO, resident_bytes
from .measure import Row

SMALL = 10_000  # images of the scan whose memory is measured
FIRST = 1000  # images after which the growth counts
MOST_MB = 50  # growth of the resident memory
PHOTOS = 192  # copies of the sample photographs, for the rate at 224 px
SIDE = 224  # pixels


def scan() -> Iterator[Row]:
    """Scan 10,000 small images with the digits model, and photographs with DINOv2-S."""
    with tempfile.TemporaryDirectory(prefix="vitviz-") as place:
        folder = Path(place)
        _small_images(folder / "small")
        resident: list[tuple[int, int]] = []

        def progress(done: int, count: int) -> None:
            resident.append((done, resident_bytes()))

        small = vitviz.scan(folder / "small", vitviz.load("digits"), folder / "run", progress=progress)
        before = max(size for done, size in resident if done <= FIRST)
        grown = (max(size for done, size in resident if done > FIRST) - before) / 1e6
        yield Row(
            f"growth of memory in a scan of {SMALL:,} images, after the first {FIRST:,}",
            f"{grown:.1f} MB",
            f"≤ {MOST_MB} MB",
            grown <= MOST_MB,
            f"largest of {len(resident)} readings; {before / 1e6:.0f} MB before",
        )
        yield Row(f"scan of {SMALL:,} images of 40 px with digits", _rate(small.about["rate"]), "", None, "whole scan")
        _photos(folder / "photos")
        model = vitviz.load("dinov2-small")
        run = vitviz.scan(folder / "photos", model, folder / "photos-run", size=SIDE)
        detail = f"{torch.get_num_threads()} threads; reading, head statistics and writing included"
        yield Row(f"scan of {PHOTOS} photographs with DINOv2-S, {SIDE} px", _rate(run.about["rate"]), "", None, detail)
        yield from _reading(folder / "photos", model)


def _reading(folder: Path, model: vitviz.VisionTransformer) -> Iterator[Row]:
    """Measure the reading of photographs without the model."""
    items = list(open_source(str(folder)).items(0, PHOTOS))
    wanted = Input(SIDE, model.config.patch_size, "crop", model.preprocessing)
    size = np.mean([(folder / item.path).stat().st_size for item in items]) / 1e3
    for threads in (1, 2):
        began = time.perf_counter()
        for _ in load_ahead(items, wanted, threads, 32):
            pass
        rate = PHOTOS / (time.perf_counter() - began)
        detail = f"JPEG of {size:.0f} kB: hash, decoding, resizing, thumbnail"
        yield Row(f"reading of photographs, {threads} thread{'s' * (threads > 1)}", _rate(rate), "", None, detail)


def _small_images(folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(SMALL):
        Image.fromarray(random.integers(0, 255, (40, 40, 3), np.uint8)).save(folder / f"{i}.png")


def _photos(folder: Path) -> None:
    """Write crops of the sample photographs, so that no two files are the same."""
    folder.mkdir()
    originals = [Image.open(path).convert("RGB") for path in sorted(PHOTO.parent.glob("*.jpg"))]
    for i in range(PHOTOS):
        original = originals[i % len(originals)]
        buffer = io.BytesIO()
        original.crop((i % 7, i % 5, *original.size)).resize((500, 375)).save(buffer, "JPEG", quality=90)
        (folder / f"{i}.jpg").write_bytes(buffer.getvalue())


def _rate(rate: float) -> str:
    return f"{rate:.3g} images/s"
