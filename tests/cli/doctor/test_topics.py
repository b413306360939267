"""Checks of an installation: planted faults are found, and their advice names what to change."""

import os
import shutil
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import pytest
from huggingface_hub import constants

from tests.support.facts import assert_mentions
from vitviz import zoo
from vitviz.cli import requirements
from vitviz.cli.doctor import hub
from vitviz.cli.doctor.components import PACKAGE, PARTS, check_app, check_files
from vitviz.cli.doctor.hub import check_hub
from vitviz.cli.doctor.machine import APP_MB, LIBRARY_MB, available_memory, check_memory
from vitviz.cli.doctor.settings import check_checkpoints, check_offered, check_settings
from vitviz.cli.doctor.versions import check_extras, check_versions
from vitviz.cli.doctor.weights import check_models
from vitviz.zoo import SHIPPED, shipped

MB = 1_000_000


def by_name(checks):
    return {check.name: check for check in checks}


# --- Memory ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def system(tmp_path):
    """Function that writes what a system says about its memory, and returns the folder."""

    def write(available=None, **of_group):
        if available is not None:
            (tmp_path / "proc").mkdir(exist_ok=True)
            text = f"MemTotal: 99999999 kB\nMemAvailable: {available // 1024} kB\n"
            (tmp_path / "proc/meminfo").write_text(text)
        for name, text in of_group.items():
            (tmp_path / "sys/fs/cgroup").mkdir(parents=True, exist_ok=True)
            (tmp_path / "sys/fs/cgroup" / f"memory.{name}").write_text(f"{text}\n")
        return tmp_path

    return write


def test_enough_memory(system, monkeypatch):
    monkeypatch.setenv("VITVIZ_CACHE_MB", "200")
    (check,) = check_memory(system((APP_MB + 201) * MB))
    assert (check.status, check.advice) == ("ok", "")
    assert check.facts["app_mb"] == APP_MB + 200


def test_a_cache_that_does_not_fit_gets_a_size_that_does(system, monkeypatch):
    monkeypatch.setenv("VITVIZ_CACHE_MB", "2000")
    (check,) = check_memory(system((APP_MB + 300) * MB))
    assert check.status == "warning"
    most = check.facts["available_mb"] - APP_MB
    assert 298 <= most <= 300
    assert_mentions(check.advice, "VITVIZ_CACHE_MB", most)


def test_too_little_memory_for_any_cache_or_for_a_model(system):
    (check,) = check_memory(system((APP_MB - 50) * MB))
    assert check.status == "warning"
    assert "VITVIZ_CACHE_MB" not in check.advice, "no valid size would help"
    (check,) = check_memory(system((LIBRARY_MB - 50) * MB))
    assert check.status == "failure"
    assert check.advice


def test_a_container_has_less_than_its_machine(system):
    files = f"anon {600 * MB}\ninactive_file {100 * MB}\n"
    root = system(8000 * MB, max=1000 * MB, current=700 * MB, stat=files)
    assert available_memory(root) == 400 * MB


def test_a_container_without_a_limit_has_what_its_machine_has(system):
    root = system(1024 * 5000, max="max", current=700 * MB)
    assert available_memory(root) == 1024 * 5000


def test_a_system_that_does_not_tell(system):
    assert available_memory(system()) is None
    (check,) = check_memory(system())
    assert check.status == "ok"


# --- Downloads -------------------------------------------------------------------------------------------------------


@pytest.fixture
def online(tmp_path, monkeypatch):
    """A hub that may be used, but does not answer, and a cache in an empty folder."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "not" / "yet"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("VITVIZ_MAX_DOWNLOAD_GB", raising=False)
    return tmp_path


def free(monkeypatch, megabytes):
    usage = shutil.disk_usage("/")._replace(free=megabytes * MB)
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: usage)


def test_a_hub_that_does_not_answer_is_no_failure(online, monkeypatch):
    free(monkeypatch, 5000)
    checks = by_name(check_hub())
    assert {check.status for check in checks.values()} == {"ok"}
    assert checks["hub"].facts["reachable"] is False
    assert checks["model cache"].facts["writable"] is True
    assert list(online.iterdir()) == [], "the check leaves nothing behind"


def test_a_cache_that_cannot_be_written(online, monkeypatch):
    free(monkeypatch, 5000)
    (online / "file").write_text("not a folder")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(online / "file" / "hub"))
    check = by_name(check_hub())["model cache"]
    assert (check.status, check.facts["writable"]) == ("failure", False)
    assert_mentions(check.advice, "HF_HOME")


def test_a_full_disk(online, monkeypatch):
    free(monkeypatch, 20)
    check = by_name(check_hub())["disk"]
    assert (check.status, check.facts["free_mb"]) == ("failure", 20)
    assert_mentions(check.advice, "HF_HOME")
    free(monkeypatch, 1500)
    assert by_name(check_hub())["disk"].status == "warning", "the largest download would not fit"
    monkeypatch.setenv("VITVIZ_MAX_DOWNLOAD_GB", "1")
    assert by_name(check_hub())["disk"].status == "ok"


@pytest.mark.parametrize("setting", ["VITVIZ_MAX_DOWNLOAD_GB", "HF_HUB_OFFLINE"])
def test_without_downloads_neither_disk_nor_cache_matter(online, setting, monkeypatch):
    (online / "file").write_text("not a folder")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(online / "file" / "hub"))
    free(monkeypatch, 0)
    if setting == "HF_HUB_OFFLINE":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    else:
        monkeypatch.setenv(setting, "0")
    assert {check.status for check in check_hub()} == {"ok"}


# --- Settings --------------------------------------------------------------------------------------------------------


def test_an_invalid_setting_is_named_with_its_limits(monkeypatch):
    monkeypatch.setenv("VITVIZ_CACHE_MB", "1GB")
    monkeypatch.setenv("VITVIZ_JOBS", "2")
    checks = by_name(check_settings())
    assert checks["VITVIZ_CACHE_MB"].status == "failure"
    assert_mentions(checks["VITVIZ_CACHE_MB"].advice, "VITVIZ_CACHE_MB", "1GB", 100)
    assert checks["VITVIZ_JOBS"].status == "ok"
    assert checks["VITVIZ_JOBS"].facts["value"] == 2


def test_a_misspelt_setting_is_found(monkeypatch):
    monkeypatch.setenv("VITVIZ_CACHE", "500")
    check = by_name(check_settings())["VITVIZ_CACHE"]
    assert check.status == "warning"
    assert_mentions(check.advice, "VITVIZ_CACHE_MB")


def test_a_folder_of_checkpoints(tmp_path, monkeypatch):
    monkeypatch.delenv("VITVIZ_CHECKPOINT_DIR", raising=False)
    assert by_name(check_checkpoints())["checkpoints"].status == "ok"
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    (tmp_path / "best.pth").write_bytes(b"weights")
    check = by_name(check_checkpoints())["checkpoints"]
    assert (check.status, check.facts["checkpoints"]) == ("ok", 1)
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path / "best.pth"))
    check = by_name(check_checkpoints())["checkpoints"]
    assert check.status == "failure"
    assert_mentions(check.advice, "VITVIZ_CHECKPOINT_DIR")


def test_checkpoints_that_this_user_may_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    (tmp_path / "best.pth").write_bytes(b"weights")
    monkeypatch.setattr(os, "access", lambda path, _: not str(path).endswith("best.pth"))
    check = by_name(check_checkpoints())["checkpoints"]
    assert check.status == "failure"
    assert_mentions(check.summary, "best.pth")


def test_the_model_and_the_images_that_are_offered(tmp_path, monkeypatch):
    for name in ("VITVIZ_MODEL", "VITVIZ_IMAGES"):
        monkeypatch.delenv(name, raising=False)
    assert {check.status for check in check_offered()} == {"ok"}
    monkeypatch.setenv("VITVIZ_IMAGES", str(tmp_path))
    monkeypatch.setenv("VITVIZ_MODEL", "nonsense")
    checks = by_name(check_offered())
    assert {check.status for check in checks.values()} == {"failure"}
    assert_mentions(checks["opening model"].advice, "VITVIZ_MODEL")
    (tmp_path / "cat.jpg").write_bytes(b"image")
    check = by_name(check_offered())["images"]
    assert (check.status, check.facts["images"]) == ("ok", 1)
    monkeypatch.setenv("VITVIZ_IMAGES", str(tmp_path / "cat.jpg"))
    check = by_name(check_offered())["images"]
    assert check.status == "failure"
    assert_mentions(check.advice, "VITVIZ_IMAGES")


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path):
    """A copy of the files that browsers receive, with the modules that name them."""
    for part in PARTS:
        ignored = shutil.ignore_patterns("__pycache__", "pages", "widgets")
        shutil.copytree(PACKAGE / part, tmp_path / part, ignore=ignored)
    return tmp_path


def test_all_components_are_there():
    (check,) = check_files()
    assert check.status == "ok"
    folders = {path.name for path in (PACKAGE / "ui" / "components").iterdir() if any(path.glob("*.js"))} - {"_shared"}
    assert set(check.facts["components"]) == folders


@pytest.mark.parametrize(
    "file",
    [
        "ui/components/explorer/explorer.js",
        "ui/components/board/board.html",
        "ui/components/scatter/scatter.css",
        "ui/components/diagram/position.js",
        "ui/components/_shared/camera.js",
        "viz/browser/canvas.js",
        "viz/explorer/attention.js",
        "viz/explorer/explorer.html",
    ],
)
def test_a_missing_file_of_a_component_is_named(package, file):
    (package / file).unlink()
    (check,) = check_files(package)
    assert (check.status, check.facts["missing"]) == ("failure", [file])
    assert_mentions(check.summary, file)
    assert check.advice


def test_an_empty_file_is_named(package):
    (package / "ui/app/serving/units.js").write_text("")
    (check,) = check_files(package)
    assert (check.status, check.facts["empty"]) == ("failure", ["ui/app/serving/units.js"])


def test_no_components_at_all(tmp_path):
    (check,) = check_files(tmp_path)
    assert check.status == "failure"


def test_the_pages_of_the_app_are_found():
    (check,) = check_app()
    assert check.status == "ok"
    assert "explore" in check.facts["pages"]


# --- Models ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """The small shipped model alone, with a copy of its file."""
    entry = SHIPPED["digits"]
    (tmp_path / "models").mkdir()
    shutil.copy(entry.path, tmp_path / "models")
    monkeypatch.setattr(shipped, "assets", lambda: tmp_path)
    monkeypatch.setattr(zoo, "SHIPPED", {entry.name: entry})
    return entry


def test_an_intact_model(digits):
    checks = by_name(check_models())
    assert {name: check.status for name, check in checks.items()} == {
        "weights of digits": "ok",
        "forward pass of digits": "ok",
    }
    assert checks["forward pass of digits"].facts["largest_error"] < 1e-4


def test_truncated_weights(digits):
    digits.path.write_bytes(digits.path.read_bytes()[:1000])
    checks = by_name(check_models())
    assert {check.status for check in checks.values()} == {"failure"}
    assert checks["weights of digits"].facts["bytes"] == 1000
    assert_mentions(checks["weights of digits"].advice, "digits.safetensors")
    digits.path.unlink()
    assert {check.status for check in check_models()} == {"failure"}


@pytest.mark.parametrize("wrong", [100.0, float("nan")])
def test_wrong_numbers(digits, wrong, monkeypatch):
    changed = replace(digits, reference=(wrong, *digits.reference[1:]))
    monkeypatch.setattr(zoo, "SHIPPED", {digits.name: changed})
    checks = by_name(check_models())
    assert checks["weights of digits"].status == "ok"
    assert checks["forward pass of digits"].status == "failure"
    assert_mentions(checks["forward pass of digits"].advice, "torch")


# --- Versions --------------------------------------------------------------------------------------------------------


def test_versions_of_this_environment():
    (check,) = check_versions()
    assert check.status == "ok"
    assert {"python", "vitviz", "torch", "timm", "streamlit"} <= set(check.facts)
    assert all(check.facts.values())


@pytest.mark.parametrize(
    ("package", "version", "status"),
    [("torch", None, "failure"), ("timm", "0.9.0", "failure"), ("streamlit", None, "warning")],
)
def test_a_package_that_is_missing_or_too_old(package, version, status, monkeypatch):
    installed = requirements.importlib.metadata.version

    def changed(name):
        if name != package:
            return installed(name)
        if version is None:
            raise PackageNotFoundError(name)
        return version

    monkeypatch.setattr(requirements.importlib.metadata, "version", changed)
    (check,) = check_versions()
    assert (check.status, check.facts[package]) == (status, version)
    assert_mentions(check.advice, "pip install", f"{package}")


@pytest.mark.parametrize(
    ("package", "version", "statuses"),
    [
        ("duckdb", None, ["ok"] * 3),
        ("pyarrow", "1.0", ["warning", "ok", "ok"]),
        ("anywidget", None, ["ok"] * 3),
        ("ray", None, ["ok"] * 3),
    ],
)
def test_the_packages_of_an_extra(package, version, statuses, monkeypatch):
    """Missing ones are an offer; outdated ones would fail."""
    complete = list(check_extras())
    assert [(check.status, check.advice) for check in complete] == [("ok", "")] * 3
    installed = requirements.importlib.metadata.version

    def changed(name):
        if name == package and version is None:
            raise PackageNotFoundError(name)
        return version if name == package else installed(name)

    monkeypatch.setattr(requirements.importlib.metadata, "version", changed)
    checks = list(check_extras())
    assert [check.status for check in checks] == statuses
    (advice,) = (check.advice for check in checks if check.advice)
    assert_mentions(advice, "pip install", package)


def test_requirements_of_an_installed_package_are_in_its_metadata(tmp_path, monkeypatch):
    app = "streamlit<2,>=1.67"
    lines = ["torch<3,>=2.6", f'{app}; extra == "app"', f'{app}; extra == "dev"', 'pytest; extra == "dev"']
    monkeypatch.setattr(requirements, "_FOLDER", tmp_path)
    monkeypatch.setattr(requirements.importlib.metadata, "requires", lambda _: lines)
    assert [one.name for one in requirements.required("library")] == ["torch"]
    assert [one.name for one in requirements.required("app")] == ["streamlit"]
