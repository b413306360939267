"""Animation of the README: the pointer moves over the picture, and all maps follow."""

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

from PIL import Image
from playwright.sync_api import Page

NAME = "hover.webp"
MAX_BYTES = 1_500_000
WIDTH = 640  # pixels
SECONDS = 3.0
# Path of the pointer over the cat, as rows and columns from 1: along one eye, across to the other, down to the nose.
PATH = ((6, 4), (6, 6), (6, 11), (10, 8), (12, 8), (6, 6))
FRAMES_PER_LEG = 5
SIDE = 16  # rows and columns of patches
# Pointer, because screenshots do not contain the one of the system.
_POINTER = """([x, y]) => {
  let pointer = document.getElementById("animation-pointer");
  if (!pointer) {
    pointer = document.createElement("div");
    pointer.id = "animation-pointer";
    pointer.style.cssText = "position: fixed; z-index: 9999999; width: 18px; height: 18px; pointer-events: none;"
      + "box-sizing: border-box; margin: -9px; border-radius: 50%; border: 3px solid #fff; outline: 2px solid #000;";
    document.body.append(pointer);
  }
  pointer.style.left = `${x}px`;
  pointer.style.top = `${y}px`;
}"""


def record(page: Page) -> bytes:
    """Record the animation on the page "Explore" without a pinned patch; return an animated WebP file.

    Raises:
        RuntimeError: if it is larger than `MAX_BYTES` at the lowest quality.
    """
    box = page.get_by_test_id("explorer-image").bounding_box()
    clip = page.get_by_test_id("explorer").bounding_box()
    frames = []
    for row, column in positions():
        x = box["x"] + (column - 0.5) / SIDE * box["width"]
        y = box["y"] + (row - 0.5) / SIDE * box["height"]
        page.mouse.move(x, y)
        page.evaluate(_POINTER, [x, y])
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        frames.append(Image.open(BytesIO(page.screenshot(clip=clip))).convert("RGB"))
    page.close()
    return encode(frames)


def positions() -> list[tuple[float, float]]:
    """Return the position of the pointer in each frame, as row and column."""
    return [
        tuple(start + (end - start) * step / FRAMES_PER_LEG for start, end in zip(one, other, strict=True))
        for one, other in pairwise(PATH)
        for step in range(FRAMES_PER_LEG)
    ]


def encode(frames: Sequence[Image.Image]) -> bytes:
    """Encode frames as an endless animation of `SECONDS` seconds and `WIDTH` pixels."""
    height = round(WIDTH * frames[0].height / frames[0].width)
    first, *others = (frame.resize((WIDTH, height), Image.Resampling.LANCZOS) for frame in frames)
    duration = round(1000 * SECONDS / len(frames))
    for quality in (75, 60, 45):
        buffer = BytesIO()
        first.save(
            buffer, "webp", save_all=True, append_images=others, duration=duration, loop=0, quality=quality, method=4
        )
        if buffer.tell() <= MAX_BYTES:
            return buffer.getvalue()
    raise RuntimeError(f"The animation has more than {MAX_BYTES:,} bytes; record fewer frames.")
