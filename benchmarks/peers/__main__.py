"""Command line: `python -m benchmarks.peers` runs all comparisons, `python -m benchmarks.peers rollout 224` only some.

The exit code is always 0, because this is a report and not a test. Each pair is timed alternately in the same process,
with the same weights and the same image.
"""

import argparse
import datetime
import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version

import torch

from . import attention, attribution, batches
from .comparison import Measured, as_table, compare

COMPARISONS = {
    "rows": attention.class_token_rows,
    "matrices": attention.all_matrices,
    "rollout": attribution.rollout,
    "occlusion": attribution.occlusion,
    "integrated": attribution.integrated_gradients,
    "legrad": attribution.legrad,
    "gradient": attribution.gradient_map,
    "images": batches.many_images,
}
SIZES = (224, 518)
PACKAGES = ("torch", "timm", "transformers", "torchcam", "grad-cam", "captum", "fast-vit-rollout", "torchvision")


def main() -> None:
    """Run the comparisons given on the command line, by default all at both sizes."""
    choices = (*COMPARISONS, *map(str, SIZES))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Compare vitviz with other tools.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"comparisons and sizes, by default all: {', '.join(choices)}"
    )
    parser.add_argument("--seconds", type=float, default=16.0, help="planned time for each pair, by default 16")
    parser.add_argument(
        "--cpu", action="store_true", help="measure processor time, for a machine that runs other work; with one thread"
    )
    arguments = parser.parse_args()
    names = arguments.names
    unknown = [name for name in names if name not in choices]
    if unknown:
        parser.error(f"there is no comparison {', '.join(unknown)}; choose from {', '.join(choices)}")
    chosen = [name for name in COMPARISONS if name in names] or list(COMPARISONS)
    sizes = [size for size in SIZES if str(size) in names] or SIZES
    clock = time.process_time if arguments.cpu else time.perf_counter
    if arguments.cpu:
        torch.set_num_threads(1)  # threads that wait for each other use processor time
    results = [result for name in chosen for size in sizes for result in run(name, size, arguments.seconds, clock)]
    print(f"{datetime.date.today()}: " + ", ".join(f"{package} {version(package)}" for package in PACKAGES))
    print(
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, "
        f"{'processor time' if arguments.cpu else 'time'}\n"
    )
    print(as_table(results))


def run(name: str, size: int, seconds: float, clock: Callable[[], float]) -> list[Measured]:
    """Run a comparison at one size. An error is printed, so that the other comparisons still run."""
    results = []
    print(f"{name}, {size} px ...", file=sys.stderr, flush=True)
    try:
        for pair in COMPARISONS[name](size):
            results.append(compare(pair, seconds, clock))
            print("  " + " | ".join(results[-1].cells()), file=sys.stderr, flush=True)
    except Exception:
        traceback.print_exc()
        print(f"{name} at {size} px was not measured; the traceback is above.", file=sys.stderr)
    return results


if __name__ == "__main__":
    main()
