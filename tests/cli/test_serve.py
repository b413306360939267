"""`vitviz app`: the command line of Streamlit, and the app that it starts."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from scripts.app_server import ROOT, running_app
from tests.support.command_line import PROCESS, only_line
from tests.support.facts import assert_mentions
from tests.ui.app.test_server_address import listening_on
from vitviz import zoo
from vitviz.cli import requirements, serve
from vitviz.cli.app import app
from vitviz.notation import installation

OF_MAKE = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "ARGS")  # set where `make test` runs the tests


@pytest.fixture
def started(monkeypatch):
    """Function that runs the command without a server, and returns the command line of Streamlit."""

    def run(*options):
        seen = []
        monkeypatch.setattr(runpy, "run_module", lambda name, **_: seen.append((name, tuple(sys.argv))))
        monkeypatch.setattr(sys, "argv", list(sys.argv))
        result = CliRunner().invoke(app, ["app", *options])
        assert result.exit_code == 0, result.stderr
        ((name, arguments),) = seen
        assert name == "streamlit"
        assert arguments[:3] == ("streamlit", "run", str(ROOT / "app.py"))
        return arguments[3:]

    return run


def test_this_machine_only_and_the_usual_port_unless_asked(started):
    assert started() == ("--server.address=127.0.0.1",)


def test_another_address_and_port(started):
    assert started("--address", "0.0.0.0", "--port", "9000") == ("--server.address=0.0.0.0", "--server.port=9000")


def test_further_options_follow_and_so_override(started):
    assert started("--port", "9000", "--", "--theme.base", "dark", "--server.port=9001") == (
        "--server.address=127.0.0.1",
        "--server.port=9000",
        "--theme.base",
        "dark",
        "--server.port=9001",
    )


@pytest.mark.parametrize("options", [("--port", "0"), ("--port", "65536"), ("--theme.base", "dark")])
def test_wrong_options_are_refused_in_a_line(options):
    only_line(CliRunner().invoke(app, ["app", *options]))


@pytest.mark.parametrize("is_complete", [True, False])
def test_without_streamlit_the_message_tells_how_to_install_it(is_complete, monkeypatch):
    monkeypatch.setattr(serve, "find_spec", lambda _: None)
    if not is_complete:
        monkeypatch.setattr(requirements, "installed", lambda _: None)
    line = only_line(CliRunner().invoke(app, ["app"]))
    assert_mentions(line, "pip install", "streamlit")


def test_an_installation_without_the_app_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(installation, "PACKAGE", tmp_path / "vitviz")
    assert only_line(CliRunner().invoke(app, ["app"]))
    for folder in (tmp_path, tmp_path / "vitviz" / "entry"):  # a checkout, and an installed package, which comes first
        (folder / "pages").mkdir(parents=True)
        (folder / "app.py").touch()
        assert installation.app_folder() == folder


@pytest.fixture
def images(tmp_path):
    """A folder with an image."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "dog.jpg").write_bytes(b"not opened before it is drawn")
    return folder


@pytest.fixture
def settings(monkeypatch):
    """The settings that the command makes, which end with the test."""
    for name in ("VITVIZ_MODEL", "VITVIZ_IMAGES"):
        monkeypatch.setenv(name, "")
    return os.environ


def test_the_model_and_the_images_are_settings_of_the_app(started, images, settings, monkeypatch):
    monkeypatch.chdir(images.parent)
    started("--model", "digits", "--images", "images")
    assert settings["VITVIZ_MODEL"] == "digits"
    assert settings["VITVIZ_IMAGES"] == str(images)
    assert "digits" in zoo.loaded(), "the server need not load it again"
    started()
    assert settings["VITVIZ_MODEL"] == "digits", "what is set stays without the option"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--model", "nonsense"),
        ("--model", "../weights.pth"),
        ("--model", "vit_tiny_patch16_224.augreg_in21k_ft_in1k"),
        ("--model", "a\x1b[31m\nb"),
        ("--images", "gone"),
        ("--images", "."),
    ],
)
def test_what_the_app_cannot_offer_is_refused_before_it_starts(option, value, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: pytest.fail("the server was started"))
    assert only_line(CliRunner().invoke(app, ["app", option, value]))


def test_settings_without_options_are_checked_as_well(settings, monkeypatch):
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: pytest.fail("the server was started"))
    monkeypatch.setenv("VITVIZ_MODEL", "nonsense")
    assert only_line(CliRunner().invoke(app, ["app"]))


def test_make_run_is_this_command():
    def recipe(*variables):
        command = ["make", "--dry-run", "run", *variables]
        own = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
        environment = {**own, "HOST": "x86_64-linux-gnu", "PORT": "80"}  # as some shells and servers set them
        printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=True).stdout
        return printed.splitlines()[-1].partition("python -m vitviz.cli ")[2].split()

    assert recipe() == ["app", "--address", "127.0.0.1", "--"]
    assert recipe("HOST=0.0.0.0", "PORT=9000", "ARGS=--theme.base dark") == [
        *("app", "--address", "0.0.0.0", "--port", "9000", "--"),
        *("--theme.base", "dark"),
    ]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="this system does not tell who listens where")
def test_the_command_serves_the_app_to_this_machine_only(tmp_path):
    with running_app(command=(*PROCESS, "app", "--"), folder=tmp_path, environment={"PYTHONPATH": str(ROOT)}) as url:
        addresses = listening_on(urlsplit(url).port)
        assert addresses
        assert all(address.is_loopback for address in addresses)
