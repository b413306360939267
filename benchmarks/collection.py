"""The page Collection on a synthetic scan of a million images: first view, filter, map and neighbours."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .measure import Row, spread
from .synthetic_scan import write_scan

COUNT = 1_000_000  # images
FIRST, FILTER = 3.0, 0.5  # seconds
ROUNDS = 5


def collection() -> Iterator[Row]:
    """Measure queries of the page. Nothing is cached between the rounds but what the system keeps of the files."""
    from vitviz.analysis.scan.queries import answers, index, neighbours
    from vitviz.analysis.scan.queries.answers import Filter
    from vitviz.analysis.scan.queries.scan_run import open_run

    def seconds(ask: Callable[[int], object], rounds: int = ROUNDS) -> list[float]:
        times = []
        for number in range(rounds):
            start = time.perf_counter()
            ask(number)
            times.append(time.perf_counter() - start)
        return times

    with tempfile.TemporaryDirectory(prefix="vitviz-benchmark-") as folder:
        scan = write_scan(Path(folder) / "scan", COUNT)
        size = sum(file.stat().st_size for file in scan.iterdir()) / 1e9

        def first_view(_: int) -> None:
            """Read what the page shows before its index was made."""
            run = open_run(scan)
            answers.overview(run, None, Filter())
            positions = answers.listed(run, None, Filter())[:24]
            answers.images(run, positions.tolist(), "thumbnail", "path", "label", "prediction")
            answers.names_of(run, None, "label", 1000)
            answers.names_of(run, None, "prediction", 1000)

        times = seconds(first_view)
        yield _row(f"first view of a scan of {COUNT:,} images ({size:.1f} GB), without its index", times, FIRST)
        run = open_run(scan)
        (made_in,) = seconds(lambda _: index.make_index(run, Path(folder) / "indexes"), 1)
        made = index.open_index(run, Path(folder) / "indexes")
        yield Row(
            "making its index, once, in the background",
            f"{made_in:.0f} s",
            "",
            None,
            f"{COUNT / made_in:,.0f} images a second",
        )

        def map_view(_: int) -> None:
            index.open_index(run, Path(folder) / "indexes")
            answers.overview(run, made, Filter())
            answers.limits(run, made)
            answers.points(run, made, Filter(), "prediction")
            positions = answers.listed(run, made, Filter())[:24]
            answers.images(run, positions.tolist(), "thumbnail", "path", "label", "prediction")

        yield _row("first view with its index: map, list and filters", seconds(map_view), FIRST)

        def narrow(number: int) -> None:
            """Answer a filter: counts, points of the map and list of images."""
            chosen = Filter(labels=(f"class {number}", "class 7"), ranges=(("entropy", 3.5, 4.1 + number / 100),))
            answers.overview(run, made, chosen)
            answers.points(run, made, chosen, "prediction")
            positions = answers.listed(run, made, chosen, "surest mistakes")[:24]
            answers.images(run, positions.tolist(), "thumbnail", "path", "label", "prediction")

        yield _row("a filter: counts, map and list", seconds(narrow), FILTER)
        lasso = ((-4.0, -4.0), (4.0, -3.0), (3.0, 5.0), (-5.0, 4.0))

        def draw_lasso(number: int) -> None:
            area = tuple((x + number / 10, y) for x, y in lasso)
            answers.overview(run, made, Filter(area=area))
            answers.listed(run, made, Filter(area=area))

        yield _row("a lasso: counts and list", seconds(draw_lasso), FILTER)
        yield _row("confusion matrix", seconds(lambda _: answers.confusion(run, made, Filter())), FILTER)
        (took,) = seconds(lambda _: neighbours.neighbours(run, 1234, 8), 1)
        yield Row(
            "nearest images of an image, in the background",
            f"{took:.1f} s",
            "",
            None,
            f"{COUNT / took:,.0f} images a second",
        )


def _row(quantity: str, times: list[float], most: float) -> Row:
    median = sorted(times)[len(times) // 2]
    detail = f"{spread(times, 's')}, {len(times)} rounds, the first one {times[0]:.2f} s"
    return Row(quantity, f"{median:.2f} s", f"≤ {most:g} s", median <= most, detail)
