"""Usage errors of the command line in one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup


class OneLine(TyperGroup):
    """Command group that reports usage errors in one line, with exit code 2."""

    def main(self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command."""
        args = sys.argv[1:] if args is None else list(args)
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        try:
            sys.exit(super().main(args, standalone_mode=False, **extra) or 0)
        except typer.Abort:
            sys.exit(130)
        except Exception as error:
            if not hasattr(error, "format_message"):  # not a usage error
                raise
            from .console import refuse

            refuse(error.format_message(), as_json="--json" in args)
            sys.exit(2)
