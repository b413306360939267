"""The public names: all exist, and none is imported before it is used."""

import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import vitviz

MODULES = {path.stem for path in Path(vitviz.__file__).parent.iterdir()}


def test_every_public_name_is_a_module_or_what_a_module_defines():
    assert set(vitviz._MODULES) <= set(vitviz.__all__) <= set(dir(vitviz))
    for name in vitviz.__all__:
        if name in vitviz._MODULES and not isinstance(getattr(vitviz, name), ModuleType):
            assert getattr(vitviz, name).__module__.startswith(f"vitviz.{vitviz._MODULES[name]}"), name
        else:
            assert getattr(vitviz, name).__name__ == ".".join(filter(None, ["vitviz", vitviz._MODULES.get(name), name]))


def test_no_name_is_that_of_a_module_and_of_something_in_it():
    """Otherwise the result would depend on the order of imports."""
    assert not MODULES & set(vitviz._MODULES)


def test_modules_are_there_without_importing_them_by_name():
    assert vitviz.notation.view.token_label
    with pytest.raises(AttributeError, match="'nonsense'"):
        _ = vitviz.nonsense


def test_the_version_is_that_of_pyproject():
    project = tomllib.loads((Path(vitviz.__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert vitviz.__version__ == project["version"]


def test_the_version_of_an_installed_package_is_in_its_metadata(tmp_path, monkeypatch):
    (tmp_path / "vitviz-7.8.dist-info").mkdir()
    (tmp_path / "vitviz-7.8.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vitviz\nVersion: 7.8\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(vitviz, "__file__", str(tmp_path / "vitviz" / "__init__.py"))
    assert vitviz._version() == "7.8"
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\nversion = "1"\n')
    assert vitviz._version() == "7.8", "of another project"


def test_importing_vitviz_does_not_import_pytorch():
    code = "import sys, vitviz, vitviz.cli.__main__; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(vitviz.__file__).parents[1], check=False)
    assert done.returncode == 0
