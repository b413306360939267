"""JupyterLab with an empty home, a notebook in it, and access to what its kernel holds."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client import BlockingKernelClient

from scripts.app_server import ROOT, free_port, running_server

PATIENCE = 240  # seconds until the kernel has answered
# Nothing may come between the notebook and the user: neither the news of the project, nor a file from an earlier test.
_OPTIONS = ("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=")
_SETTINGS = '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}'


@contextmanager
def running_lab(folder: Path) -> Iterator[str]:
    """Run JupyterLab with the notebooks of a folder until the `with` block ends, and yield its address.

    Its home and all of its settings are new subfolders.
    """
    home, settings, port = folder / "home", folder / "settings", free_port()
    for new in (home, settings):
        new.mkdir()
    (settings / "overrides.json").write_text(_SETTINGS, "utf-8")
    environment = {
        **{name: "" for name in os.environ if name.startswith("JUPYTER_")},
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": str(ROOT),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        *_OPTIONS,
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={folder}",
    ]
    command += [f"--LabApp.app_settings_dir={settings}"]
    url = f"http://127.0.0.1:{port}"
    with running_server(command, f"{url}/api", environment=environment, folder=folder):
        yield url


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook with these cells, which none has run yet."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@contextmanager
def only_kernel(folder: Path) -> Iterator[Kernel]:
    """Connect to the only kernel of a JupyterLab, beside the notebook."""
    (file,) = (folder / "runtime").glob("kernel-*.json")
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()


class Kernel:
    def __init__(self, client: BlockingKernelClient):
        self._client = client

    def run(self, code: str, expression: str = "None") -> object:
        """Run code as another cell, and return the value of an expression, which is a literal, afterwards."""
        reply = self._client.execute_interactive(
            code,
            store_history=False,
            user_expressions={"it": expression},
            output_hook=lambda message: None,
            timeout=PATIENCE,
        )["content"]
        assert reply["status"] == "ok", reply
        assert reply["user_expressions"]["it"]["status"] == "ok", reply
        return ast.literal_eval(reply["user_expressions"]["it"]["data"]["text/plain"])
