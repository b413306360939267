"""Command `vitviz scan`: a model looks at all images of a data set, and writes Parquet files."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import typer

from ..errors import VitvizError
from ..images import Size
from ..notation.extras import require
from ..trace.vision_transformer import VisionTransformer
from .console import duration, json_line, printable
from .ending import BAD_INPUT, FINE, SOME_FAILED, fatal_errors_reported
from .model_options import Options, check_patches
from .parse import parse_layer

if TYPE_CHECKING:  # this needs pyarrow
    from ..analysis.scan.plan import Plan
    from ..analysis.scan.worker import Engine, Shard

MOST_PROBLEMS = 20  # printed; errors.parquet has all
RESUMES = "--resume continues"  # after an interruption


@dataclass(frozen=True)
class Task:
    """Settings of `vitviz scan`, as typed.

    Attributes:
        source, out, labels, resume, engine, actors, num_gpus, batch_size, shard_size, workers, size, fit: see
            `vitviz.scan`.
        model: model name or path, as for `vitviz.load`.
        options: checkpoint options, and the linear head.
        patch_tokens: layers from 1, separated by commas.
        as_json: True to print JSON lines.
    """

    source: str
    out: str
    model: str
    options: Options
    labels: Literal["csv", "folders"] | None = None
    patch_tokens: str | None = None
    resume: bool = False
    engine: Literal["embedded", "ray"] = "embedded"
    actors: int | None = None
    num_gpus: float | None = None
    batch_size: int | None = None
    shard_size: int = 1000
    workers: int | None = None
    size: Size | None = None
    fit: str | None = None
    as_json: bool = False


def run(task: Task) -> int:
    """Scan a data set and print the folder of the result.

    Returns:
        Exit code: 0 for success, 1 if some images could not be read, 2 if none could or the input is wrong, 130 if the
        run was interrupted. Complete shards are kept.
    """
    with fatal_errors_reported(task.out, task.as_json, RESUMES, if_not_begun=RESUMES) as ending:
        require("data", "vitviz scan")
        engine = _engine(task)
        model = task.options.load(task.model, task.fit)
        check_patches(task.size, model.config)
        plan = _plan(task, model)
        progress = ending.console = _Progress(task, plan.count)
        with progress.bar():
            for shard in plan.run(engine, progress.advance):
                progress.shard(shard)
        progress.end(plan)
        ending.code = FINE if not plan.failed else BAD_INPUT if plan.failed == plan.count else SOME_FAILED
    return ending.code


def _engine(task: Task) -> Engine:
    from ..analysis.scan.plan import embedded
    from ..analysis.scan.ray_engine import ray_engine

    return ray_engine(task.actors, task.num_gpus) if task.engine == "ray" else embedded


def _plan(task: Task, model: VisionTransformer) -> Plan:
    from ..analysis.scan.plan import plan_scan

    return plan_scan(
        task.source,
        model,
        task.out,
        labels=task.labels,
        patch_tokens=_layers(task.patch_tokens, model),
        size=task.size,
        fit=task.fit,
        batch_size=task.batch_size,
        num_gpus=task.num_gpus,
        shard_size=task.shard_size,
        workers=task.workers,
        resume=task.resume,
    )


def _layers(text: str | None, model: VisionTransformer) -> list[int]:
    """Return the indices of the layers whose patch tokens are written, from 0."""
    layers = [parse_layer(part.strip(), model.config) for part in text.split(",")] if text else []
    if model.config.depth in layers:
        raise VitvizError(f"Pooling has no output tokens; use layers from 1 to {model.config.depth}.")
    return layers


@dataclass
class _Progress:
    """Output of a scan: a progress bar on a terminal, and lines.

    Attributes:
        task: settings.
        count: number of images of the source.
        done: number of images done, also those of an earlier run.
        problems: number of images that could not be read in this run.
    """

    task: Task
    count: int
    done: int = 0
    problems: int = 0
    _first: int | None = None
    _began: float = field(default_factory=time.monotonic)
    _bar: Any = None
    _waiting: list[str] = field(default_factory=list)

    @contextmanager
    def bar(self) -> Iterator[None]:
        """Show a progress bar, if standard error is a terminal."""
        if not sys.stderr.isatty():
            yield
            return
        with typer.progressbar(
            length=self.count,
            label="vitviz",
            file=sys.stderr,
            show_eta=False,
            show_pos=True,
            item_show_func=lambda _: self._status(),
        ) as self._bar:
            self._bar.current_item = self  # otherwise the status is not shown
            yield
        self._bar = None
        for line in self._waiting:  # they would have broken the bar
            typer.echo(line, err=True)

    def advance(self, done: int, count: int) -> None:
        """Show how many images are done; see `vitviz.errors.progress.Progress`."""
        if self._bar is not None:
            self._bar.update(done - self.done)
        self.done = done
        if self._first is None:  # those of an earlier run
            self._first, self._began = done, time.monotonic()

    @property
    def rate(self) -> float | None:
        """Images per second in this run; None if it is not known yet."""
        seconds = time.monotonic() - self._began
        scanned = self.done - (self._first or 0)
        return scanned / seconds if scanned and seconds else None

    def shard(self, shard: Shard) -> None:
        """Report a shard that was written."""
        for failure in shard.failures:
            self.problems += 1
            if self.problems <= MOST_PROBLEMS:
                self._problem(f"vitviz: {printable(f'{failure.path}: {failure.error}')}")
            if self.task.as_json:
                self._json({"image": failure.path, "ok": False, "error": failure.error})
        if self.task.as_json:
            number = {"shard": shard.number, "images": shard.images, "errors": len(shard.failures)}
            self._json(number | {"done": self.done, "count": self.count, "rate": self.rate})

    def end(self, plan: Plan) -> None:
        """Report the complete scan."""
        if self.problems > MOST_PROBLEMS:
            self._problem(f"vitviz: {self.problems - MOST_PROBLEMS} more images could not be read; see errors.parquet.")
        if self.task.as_json:
            facts = {"run": self.task.out, "images": plan.count - plan.failed, "errors": plan.failed}
            self._json(facts | {"count": plan.count, "rate": self.rate})
            return
        typer.echo(printable(self.task.out))
        failed = f" {plan.failed} could not be read, see errors.parquet." if plan.failed else ""
        rate = f" {self.rate:.3g} images/s." if self.rate else ""
        typer.echo(f"{plan.count - plan.failed} images.{failed}{rate}")

    def _status(self) -> str:
        rate = self.rate
        return "" if rate is None else f"{rate:.3g} images/s, {duration((self.count - self.done) / rate)} left"

    def _problem(self, line: str) -> None:
        if self._bar is None:
            typer.echo(line, err=True)
        else:
            self._waiting.append(line)

    def _json(self, line: dict) -> None:
        typer.echo(json_line(line))
