"""Command line of the benchmarks: `python -m benchmarks` runs all, `python -m benchmarks hover pin` only some.

The exit code is always 0, because this is a report and not a test. Times depend on the machine and its load, so ratios
compare actions that were timed alternately in the same run. Repeat a missed row alone to confirm it.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Iterator

import torch

from . import (
    alternatives,
    browser,
    collection,
    explaining,
    explanations,
    library,
    load,
    loading,
    many_images,
    regions,
    scanning,
    standalone,
    sweeping,
    teaching,
    training,
    writing,
)
from .measure import Row, as_table

BENCHMARKS = {
    "trace": library.trace_against_timm,
    "memory": library.memory_of_a_trace,
    "row": library.one_row,
    "many": many_images.many_images,
    "hover": browser.hover,
    "region": regions.region,
    "pin": browser.pin,
    "draw": browser.draw,
    "first": loading.first_visit,
    "slow_line": loading.slow_line,
    "standalone": standalone.standalone,
    "pages": explanations.explain,
    "sweep": sweeping.sweep,
    "slider": training.slider_step,
    "cost": explaining.cost,
    "faithful": explaining.faithfulness,
    "alternatives": alternatives.alternatives,
    "teach": teaching.teach,
    "collection": collection.collection,
    "write": writing.pictures,
    "scan": scanning.scan,
    "start": library.cold_start,
    "users": load.users,
    "uploads": load.uploads,
    "pupils": load.pupils,
    "newcomers": load.newcomers,
    "hovering": load.hovering,
    "footprint": load.footprint,
}


def main() -> None:
    """Run the benchmarks given on the command line, by default all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the speed of vitviz.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"benchmarks to run, by default all: {', '.join(BENCHMARKS)}"
    )
    names = parser.parse_args().names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; choose from {', '.join(BENCHMARKS)}")
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        for row in run(name):
            print(f"  {row.quantity}: {row.measured} {row.verdict}", file=sys.stderr, flush=True)
            rows.append(row)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, torch {torch.__version__} with {torch.get_num_threads()} threads, load {load:.1f}")
    print("Medians, with quartiles in brackets. The exit code is always 0.\n")
    print(as_table(rows))


def run(name: str) -> Iterator[Row]:
    """Yield the rows of a benchmark. An error becomes a row, so that the other benchmarks still run."""
    try:
        yield from BENCHMARKS[name]()
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Row(f"the rest of {name}", "NOT MEASURED", "", None, f"{reason} (the traceback is above)")


if __name__ == "__main__":
    main()
