"""Names of checkpoints, their classes and options are other people's words: pages show them as they are."""

import pytest

from tests.support.app_pages import explore
from tests.support.hostile import checkpoints
from tests.support.markup import MARKUP, assert_escaped

FILE = MARKUP.replace("/", "")

pytestmark = pytest.mark.usefixtures("empty_model_cache")


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """Folder of a server's checkpoints; the names have markup."""
    (tmp_path / f"{FILE}.safetensors").write_bytes(checkpoints.safetensors())
    (tmp_path / f"{FILE}.toml").write_text("num_heads = 2\n")
    (tmp_path / "labels.txt").write_text(f"{MARKUP}\n" * 2 + "dog\n")
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    return tmp_path


def test_the_name_of_a_checkpoint_and_of_its_classes(offered):
    app = explore(model=f"{FILE}.safetensors")
    assert "javascript" in assert_escaped(app)
    assert not app.error


@pytest.mark.parametrize(
    ("file", "data"),
    [
        (f"{FILE}.safetensors", b"damaged"),
        (f"{FILE}.toml", f'arch = "{MARKUP}"'.encode()),
        (f"{FILE}.toml", f'"{MARKUP}" = 1'.encode()),
        (f"{FILE}.toml", f'classes = "{MARKUP}"'.encode()),
        (f"{FILE}.toml", b"num_heads = 5"),
    ],
)
def test_an_error_that_quotes_them(file, data, offered):
    (offered / file).write_bytes(data)
    app = explore(model=f"{FILE}.safetensors")
    assert_escaped(app)
    assert len(app.error) == 1
