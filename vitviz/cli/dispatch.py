"""Calls of the commands with the options as typed. The modules of the commands are imported when they are called."""

from __future__ import annotations

from dataclasses import replace

import typer

from .choices import Format

MORE = ("arch_kwargs", "mean", "std", "interpolation", "crop_pct")  # checkpoint options after the first four


def run(
    command: str,
    analysis,
    images,
    model,
    options,
    writes,
    size,
    fit,
    as_json: bool,
    explorer=(False, None, False),
) -> None:
    """Run a command that analyses images one by one, and exit."""
    from .run import Task
    from .run import run as run_task

    out, formats, width, skip = writes
    default = Format.html if out.suffix == ".html" and not out.is_dir() else Format.png
    kinds = tuple(dict.fromkeys(kind.value for kind in formats or [default]))
    task = Task(command, images, model, _options(*options), out, kinds, size, fit and fit.value, as_json, width, skip)
    interactive, layers, linked = explorer
    if interactive:
        from .interactive import run as run_interactive

        raise typer.Exit(run_interactive(replace(task, formats=formats or ["html"]), analysis, layers, linked))
    for option, is_given in (("--layers", layers is not None), ("--linked", linked)):
        if is_given:
            raise typer.BadParameter("it applies to --interactive only", param_hint=option)
    raise typer.Exit(run_task(task, analysis))


def teach(options, **settings) -> None:
    """Run the command `vitviz teach`, and exit."""
    from .teach import Lesson
    from .teach import run as run_lesson

    raise typer.Exit(run_lesson(Lesson(options=_options(*options), **settings)))


def scan(options, **settings) -> None:
    """Run the command `vitviz scan`, and exit."""
    from .scan import Task
    from .scan import run as run_scan

    raise typer.Exit(run_scan(Task(options=_options(*options), **settings)))


def compare(options, **settings) -> None:
    """Run the command `vitviz compare`, and exit."""
    from .compare import Task
    from .compare import run as run_comparison

    raise typer.Exit(run_comparison(Task(options=_options(*options), **settings)))


def _options(linear_head, arch, classes, num_heads, prefix, *more):
    from .model_options import Options

    return Options(arch, classes, num_heads, prefix, dict(zip(MORE, more, strict=True)), linear_head)
