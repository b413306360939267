"""Container image: the steps of its Dockerfile, run without a container engine, make an app that writes nothing."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from benchmarks.session import Session
from scripts.app_server import ROOT, START_TIMEOUT, free_port
from tests.support.container import COMPOSE, HOME, PLACE, SERVICE, STEPS, Sandbox, build, command_of
from tests.support.event_loops import run_to_its_end
from tests.support.facts import assert_mentions
from tests.support.locked import entries
from tests.ui.app.test_server import MAP, ZONE, photo
from vitviz.zoo import SHIPPED

UNREACHABLE = "(Connect)"  # in uv's message if it cannot reach a package index


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short; pytest's own would be long."""
    with tempfile.TemporaryDirectory(prefix="vitviz-") as name:
        yield Path(name)


@contextmanager
def running(sandbox: Sandbox) -> Iterator[str]:
    """Run the image's command until its health check passes. Yields the app's address."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(sandbox.command(command_of("CMD")), stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while sandbox.run(command_of("HEALTHCHECK")).returncode:
                assert process.poll() is None, "the app ended"
                assert time.monotonic() < deadline, "the app never became healthy"
                time.sleep(0.2)
            yield f"http://127.0.0.1:{sandbox.port}"
        except BaseException as error:
            error.add_note(os.pread(log.fileno(), 8000, 0).decode(errors="replace"))
            raise
        finally:
            process.terminate()
            process.wait()


def assert_is_served(sandbox: Sandbox) -> None:
    """Check that the image starts, passes its health check, shows an uploaded photo, and writes nothing."""

    async def visit(url: str) -> None:
        session = Session(url)
        await session.connect()
        await session.open("explore")
        await session.upload(photo(), ZONE, shown=MAP)
        await session.leave()

    with running(sandbox) as url:
        run_to_its_end(visit(url))
        written = [path for place in sandbox.writable.values() for path in place.rglob("*") if path.is_file()]
    assert not written, "images and results are in memory only"


def step(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a step without a sandbox."""
    return subprocess.run(
        [ROOT / STEPS, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def assert_steps_hold(sandbox: Sandbox) -> None:
    """Check the step `check` of the image, as its user."""
    checked = sandbox.run([f"{PLACE}/app/{STEPS}", "check", PLACE])
    assert checked.returncode == 0, checked.stderr
    assert "digit-4" in checked.stdout
    assert "torch" in checked.stdout


def test_the_app_runs_read_only_and_without_rights(folder):
    """With the packages of these tests, which need no download."""
    target = folder / "target"
    target.mkdir()
    (target / "venv").symlink_to(os.path.realpath(sys.prefix))
    copied = build("copy", target, folder / "scratch")
    assert copied.returncode == 0, copied.stderr
    sandbox = Sandbox(target, folder / "written", free_port())
    assert_steps_hold(sandbox)
    assert_is_served(sandbox)

    attempt = "import os, sys; print(os.getuid()); open(sys.argv[1] + '/attempt', 'w')"
    for place in (f"{PLACE}/app", f"{PLACE}/app/vitviz", PLACE, HOME, "/", "/usr/lib", "/var/tmp"):
        tried = sandbox.run(["python3", "-c", attempt, place])
        assert tried.stdout == "1000\n"
        assert tried.returncode != 0, f"{place} is writable"
    for place, outside in sandbox.writable.items():
        assert sandbox.run(["python3", "-c", attempt, place]).returncode == 0, f"{place} is not writable"
        assert (outside / "attempt").exists()


class HealthPage(BaseHTTPRequestHandler):
    """A server that answers at one address only."""

    def do_GET(self):
        self.send_response(200 if self.path == "/a/b/_stcore/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.mark.parametrize(("path", "healthy"), [("a/b", True), ("/a/b/", True), ("", False)])
def test_the_health_check_follows_the_path_of_the_app(path, healthy):
    with HTTPServer(("127.0.0.1", 0), HealthPage) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        settings = {"STREAMLIT_SERVER_PORT": str(server.server_port), "STREAMLIT_SERVER_BASE_URL_PATH": path}
        done = step("health", **settings)
    assert (done.returncode == 0) == healthy
    assert step("health", **settings).returncode != 0, "nobody listens any more"


def test_unknown_steps_and_builds_are_refused(folder):
    assert_mentions(step("unknown").stderr, "usage", "install", "check")
    refused = step("install", str(folder), TORCH_BACKEND="tpu")
    assert refused.returncode != 0
    assert_mentions(refused.stderr, "TORCH_BACKEND", "tpu", "cpu", "pypi")
    assert not list(folder.iterdir())


def test_the_cpu_build_is_not_compared_with_the_hashes_of_another_build():
    lock = entries((ROOT / "requirements/lock.txt").read_text())
    constraints = entries(step("constraints").stdout)
    assert [entry.name for entry in constraints] == [entry.name for entry in lock]
    for entry, locked in zip(constraints, lock, strict=True):
        assert entry.specifier == locked.specifier
        assert entry.hashes == (() if entry.name in ("torch", "torchvision") else locked.hashes)


def test_the_copy_has_what_the_app_reads(folder):
    (folder / "target").mkdir()
    (folder / "target" / "venv").symlink_to(os.path.realpath(sys.prefix))
    assert build("copy", folder / "target", folder / "scratch").returncode == 0
    app = folder / "target" / "app"
    for weights in SHIPPED.values():
        assert (app / "assets" / "models" / weights.weights).is_file()
    assert (app / "docs" / "teaching.md").is_file(), "the app shows it"
    assert (app / ".streamlit" / "config.toml").is_file()
    assert not [path for path in app.rglob("*") if path.name in ("tests", "screenshots", ".git")]
    assert not [path for path in app.rglob("*") if path.stat().st_mode & 0o022], "only their owner may change files"
    assert COMPOSE["volumes"].keys() == {entry.split(":")[0] for entry in SERVICE["volumes"]}


@pytest.mark.exhaustive
def test_the_steps_install_an_app_that_starts():
    """With PyTorch's CPU build, or with the build of PyPI where PyTorch's own index cannot be reached."""
    with tempfile.TemporaryDirectory(prefix="vitviz-", dir=os.environ.get("VITVIZ_LARGE_TMP")) as name:
        folder = Path(name)
        for backend in ("cpu", "pypi"):
            target = folder / backend
            target.mkdir()
            installed = build("install", target, folder / "scratch", TORCH_BACKEND=backend)
            if installed.returncode == 0 or UNREACHABLE not in installed.stderr:
                break
        else:
            pytest.skip("No package index can be reached.")
        assert installed.returncode == 0, installed.stderr
        assert build("copy", target, folder / "scratch").returncode == 0
        sandbox = Sandbox(target, folder / "written", free_port())
        assert_steps_hold(sandbox)
        assert_is_served(sandbox)
        size = sandbox.run([f"{PLACE}/app/{STEPS}", "size", PLACE])
        assert "torch" in size.stdout
