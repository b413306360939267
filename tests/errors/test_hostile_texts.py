"""Texts in weights, links and environment variables that are too large, too deep, too long, or invalid."""

import json
from contextlib import suppress

import pytest
import torch
from safetensors.torch import save

import vitviz
from tests.support import hugging_face
from tests.support.app_pages import opened
from tests.support.checkpoints import trainer_folder
from vitviz import ModelError, zoo
from vitviz.ui.app import models
from vitviz.ui.app.link import CHOICE
from vitviz.ui.app.registry import PAGES
from vitviz.zoo.checkpoint import MAX_TEXT, read_checkpoint
from vitviz.zoo.model_cache import max_models

pytestmark = pytest.mark.slow

JSON = {
    "too large": '{"a": "' + "x" * MAX_TEXT + '"}',
    "too deep": "[" * 100_000 + "]" * 100_000,
    "a deep value": '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a very long number": '{"num_attention_heads": ' + "9" * 100_000 + "}",
    "no text": "\ud800",
    "half a text": '{"a',
}


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
def test_a_hostile_json_file_is_refused(name, text, tmp_path):
    folder = trainer_folder(tmp_path / "run", hugging_face.random_weights())
    (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ModelError) as caught:
        vitviz.load(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


SETTINGS = ("num_attention_heads", "image_size", "patch_size", "hidden_act", "layer_norm_eps", "id2label")
NONSENSE = [None, "²", -1, 0, 10**30, 1e999, float("nan"), True, [], [[]], {}, {"a": {}}, "x" * 10_000, 0.5]


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_that_is_nonsense_is_refused_or_not_read(setting, tmp_path):
    folder = trainer_folder(tmp_path / "run", hugging_face.random_weights())
    right = json.loads((folder / "config.json").read_text()) if (folder / "config.json").exists() else {}
    for value in NONSENSE:
        (folder / "config.json").write_text(json.dumps({**right, setting: value}))
        with suppress(ModelError):
            vitviz.load(folder)


def test_a_table_of_contents_of_millions_of_tensors_is_refused_unread(tmp_path, monkeypatch):
    one = b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
    header = b"{" + b"".join(one % place for place in range(MAX_TEXT // len(one)))[:-1] + b"}"
    path = tmp_path / "a.safetensors"
    path.write_bytes((len(header) + 5 * len(header)).to_bytes(8, "little") + 6 * header)
    monkeypatch.setattr("vitviz.zoo.checkpoint.safe_open", lambda *_: pytest.fail("the table was read"))
    with pytest.raises(ModelError, match="more tensors"):
        read_checkpoint(path)


def test_a_usual_table_of_contents_is_read(tmp_path):
    weights = {f"blocks.{place}.mlp.fc1.weight": torch.zeros(2) for place in range(5000)}
    (tmp_path / "a.safetensors").write_bytes(save(weights))
    assert len(read_checkpoint(tmp_path / "a.safetensors").weights) == 5000


PARAMETERS = ["²", "٣", "-1", "nan", "9" * 5000, "1\n", "{N}<b>", "h1.1z," * 2000]
OF_PAGES = {}  # each name with the first page that reads it
for entry in PAGES[1:]:
    names = {name for setting in entry.settings for name in setting.names}
    OF_PAGES[entry.name] = names - {name for others in OF_PAGES.values() for name in others}
OF_PAGES["explore"] |= {"guide", "tour", *CHOICE}


@pytest.mark.parametrize("page", [name for name, names in OF_PAGES.items() if names])
@pytest.mark.parametrize("text", PARAMETERS, ids=lambda text: ascii(text)[:12])
def test_a_link_with_nonsense_opens_the_page(page, text):
    app = opened(page, **{"model": "digits", "image": "digit-4", **dict.fromkeys(OF_PAGES[page], text)})
    assert not app.exception, app.exception[0].message


@pytest.mark.parametrize("said", [" ", "0", "-1", "1.5", "²", "٣", "nan", "9" * 5000, "1\n", " 1", "1_0"])
def test_a_number_of_models_that_is_none(said, monkeypatch):
    monkeypatch.setenv("VITVIZ_MAX_MODELS", said)
    with pytest.raises(ModelError) as caught:
        max_models()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("said", [" ", "-1", "nan", "-inf", "two", "1 GB", "²"])
def test_a_largest_download_that_is_none(said, monkeypatch):
    monkeypatch.setenv("VITVIZ_MAX_DOWNLOAD_GB", said)
    with pytest.raises(ModelError):
        models.largest_download()


@pytest.mark.parametrize(
    "folder", ["/nowhere/at/all", "/dev/null", "\n", "x" * 5000], ids=lambda text: ascii(text)[:12]
)
def test_a_folder_of_checkpoints_that_is_none(folder, monkeypatch):
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", folder[:5000])
    assert zoo.checkpoints() == ()
    assert not zoo.is_offered("a.pth")
