"""Library without the app: forward pass, memory of a trace, one attention row, and cold start."""

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.models.vision_transformer import checkpoint_filter_fn

import vitviz

from .measure import Row, interleaved, ratio_row, spread

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "assets" / "models" / "dinov2-small-patch14.safetensors"
PHOTO = ROOT / "assets" / "images" / "cat.jpg"
MIB = 2**20


def trace_against_timm() -> Iterator[Row]:
    """Compare `model.trace(tensor)` with timm's forward pass, whose position embedding is resampled beforehand."""
    ours = vitviz.load("dinov2-small")
    for size, rounds in ((224, 60), (518, 20)):
        theirs = timm_model(size)
        image = input_tensor(ours, size)
        batch = image[None]

        def run_timm(theirs=theirs, batch=batch) -> torch.Tensor:
            with torch.inference_mode():
                return theirs(batch)

        def run_trace(image=image) -> vitviz.Trace:
            return ours.trace(image)

        check_alike(run_trace().output, run_timm()[0].numpy())
        times = interleaved(run_trace, run_timm, rounds=rounds, warm_up=5)
        yield ratio_row(f"trace against timm's fused forward, {size} px", *times, ("trace", "timm"), 1.10)


def timm_model(size: int) -> torch.nn.Module:
    """Return the timm model with the shipped weights for an input size, with fused attention."""
    model = timm.create_model("vit_small_patch14_dinov2", img_size=size).eval()
    weights = {name: value.float() for name, value in load_file(WEIGHTS).items()}
    model.load_state_dict(checkpoint_filter_fn(weights, model))
    if not all(block.attn.fused_attn for block in model.blocks):
        raise RuntimeError(
            "timm does not use fused attention here, so the comparison would be unfair; check its installation."
        )
    return model


def input_tensor(model: vitviz.VisionTransformer, size: int) -> torch.Tensor:
    """Return the model input of the sample image, [3, size, size]."""
    prepared = model.trace(PHOTO, size=size).image
    return torch.from_numpy(vitviz.images.normalise(prepared.pixels, model.preprocessing))


def check_alike(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Raise an error if two results differ, so that their times are not compared."""
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if error > 1e-4:
        raise RuntimeError(f"trace and timm differ by {error:.1e}; make them agree before comparing their times.")


def memory_of_a_trace() -> Iterator[Row]:
    """Measure the memory of a trace at 518 px: `Trace.nbytes`, and growth of the process per trace."""
    model = vitviz.load("dinov2-small")
    image = input_tensor(model, 518)
    held = [model.trace(image) for _ in range(2)]  # afterwards, scratch memory of the pass is reused
    resident = [resident_bytes()]
    for _ in range(8):
        held.append(model.trace(image))
        resident.append(resident_bytes())
    trace = held[-1]
    claimed = trace.nbytes / MIB
    grown = np.diff(resident) / MIB
    matrices = trace.layers * trace.heads * trace.token_count**2 * 4 / MIB
    largest = max(claimed, float(np.mean(grown)))
    yield Row(
        f"memory held by a trace, 518 px ({trace.token_count:,} tokens)",
        f"{largest:.1f} MiB",
        "≤ 52 MiB",
        largest <= 52,
        f"Trace.nbytes is {claimed:.2f} MiB; the process grows by {np.mean(grown):.2f} MiB for each of "
        f"{len(grown)} more traces ({grown.min():.1f} to {grown.max():.1f}); the larger value is shown. "
        f"All attention matrices would take {matrices:.1f} MiB, {matrices / largest:.1f} times as much",
    )


def resident_bytes() -> int:
    """Return the resident memory of this process after releasing freed pages (Linux only)."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(process: int | str = "self") -> int:
    """Return the peak of the resident memory of a process, given by its id, by default this one (Linux only)."""
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1])


def one_row() -> Iterator[Row]:
    """Measure `trace.attention(layer, query=...)`: all heads of one layer, with changing layer and query."""
    model = vitviz.load("dinov2-small")
    trace = model.trace(input_tensor(model, 518))
    places = iter([(i % trace.layers, i * 97 % trace.token_count) for i in range(1100)])

    def read_row() -> np.ndarray:
        layer, query = next(places)
        return trace.attention(layer, query=query)

    (times,) = interleaved(read_row, rounds=1000, warm_up=100)
    median = float(np.median(times)) * 1e3
    yield Row(
        "one attention row, all heads of one layer, 518 px",
        f"{median:.3f} ms",
        "≤ 1 ms",
        median <= 1,
        f"{spread(times, 'ms', 1e3)}, 95th percentile {np.percentile(times, 95) * 1e3:.3f} ms, {len(times)} rows, "
        "changing layer and query",
    )


COLD_START = """
import json, sys, time
start = time.perf_counter()
{action}
json.dump(time.perf_counter() - start, sys.stdout)
"""
TORCH_ALONE = "import torch"
FIRST_TRACE = "import vitviz; vitviz.load('dinov2-small').trace(sys.argv[1])"


def cold_start() -> Iterator[Row]:
    """Compare import, load and first trace with importing torch, in new processes."""

    def start(action: str) -> float:
        command = [sys.executable, "-c", COLD_START.format(action=action), str(PHOTO)]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    pairs = [(start(FIRST_TRACE), start(TORCH_ALONE)) for _ in range(12)][1:]  # the first pair warms up the disk cache
    ours, theirs = np.array(pairs).T
    yield ratio_row("import vitviz, load and first trace, against import torch", ours, theirs, ("all", "torch"), 2.0)
