"""Run the benchmarks and print one table: `python -m benchmarks`, or only some, `python -m benchmarks hover pin`.

The exit code is 0 whether or not goals are reached: this is a report, not a test. Times depend on the machine and on
what else it does, so every ratio is between things that were measured in turns in this run; run a missed row again,
alone, before believing it.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Iterator

import torch

from . import alternatives, browser, explaining, explanations, library, load, loading, sweeping, writing
from .measure import Row, as_table

BENCHMARKS = {
    "trace": library.trace_against_timm,
    "memory": library.memory_of_a_trace,
    "row": library.one_row,
    "hover": browser.hover,
    "pin": browser.pin,
    "draw": browser.draw,
    "first": loading.first_visit,
    "pages": explanations.explain,
    "sweep": sweeping.sweep,
    "cost": explaining.cost,
    "faithful": explaining.faithfulness,
    "alternatives": alternatives.alternatives,
    "write": writing.pictures,
    "start": library.cold_start,
    "visitors": load.visitors,
    "newcomers": load.newcomers,
}


def main() -> None:
    """Run what the command line names, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Print how fast vitviz is.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to run: {', '.join(BENCHMARKS)}; default all")
    names = parser.parse_args().names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        for row in run(name):
            print(f"  {row.what}: {row.measured} {row.verdict}", file=sys.stderr, flush=True)
            rows.append(row)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, torch {torch.__version__} with {torch.get_num_threads()} threads, load {load:.1f}")
    print("Medians; the middle half of the values in brackets. A report, not a test: the exit code is always 0.\n")
    print(as_table(rows))


def run(name: str) -> Iterator[Row]:
    """The rows of one benchmark; one that breaks becomes a row that says so, and the others still run."""
    try:
        yield from BENCHMARKS[name]()
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Row(f"the rest of {name}", "NOT MEASURED", "", None, f"{reason} (the traceback is above)")


if __name__ == "__main__":
    main()
