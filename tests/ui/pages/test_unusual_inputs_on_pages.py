"""The app and the command line with models whose input is not a square in colour."""

import json
from types import SimpleNamespace

import pytest
import timm
import torch
from typer.testing import CliRunner

import vitviz
from tests.support.app_pages import opened, query, texts
from tests.support.handouts import made
from vitviz import ModelError, zoo
from vitviz.cli import model_options
from vitviz.cli.app import app as command
from vitviz.notation.marks import format_size, parse_size
from vitviz.trace.inputs import default_size
from vitviz.ui.app import link, models, state

KINDS = {
    "grey": {"in_chans": 1, "img_size": 32},
    "not square": {"img_size": (32, 64)},
    "grey and not square": {"in_chans": 1, "img_size": (64, 32)},
}


def small(**options):
    torch.manual_seed(0)
    shape = {"depth": 1, "embed_dim": 96, "num_classes": 4}
    theirs = timm.create_model("vit_tiny_patch16_224", **(shape | options))
    return vitviz.from_timm(theirs)


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    """A model that the app knows by this name."""
    name, model = request.param, small(**KINDS[request.param])
    about = models.ModelInfo(name, name, "", model.config, model.preprocessing, models.sizes(model.config))
    real_about, real_shared = models.describe, zoo.shared
    monkeypatch.setattr(models, "describe", lambda asked: about if asked == name else real_about(asked))
    monkeypatch.setattr(zoo, "shared", lambda asked, *more: model if asked == name else real_shared(asked, *more))
    monkeypatch.setattr(models, "is_ready", lambda _: True)
    return name


@pytest.mark.parametrize("page", ["explore", "sequence", "attention", "explain", "intervene", "lens", "tokens"])
def test_every_page_shows_it(page, kind):
    app = opened(page, model=kind, image="cat")
    assert not app.exception
    assert not app.error
    if "grey" in kind and page == "sequence":
        assert "Grey of the first pixel" in texts(app)


def test_the_trained_size_is_the_default_and_can_be_linked_to(kind):
    app = opened("explore", model=kind, image="cat")
    model = zoo.shared(kind)
    rows, columns = model.config.grid
    assert f"{rows} × {columns} = {rows * columns} patches" in texts(app)
    said = query(app)["size"]
    assert said == format_size(default_size(model.config))
    chosen, notices = link.read_choice({"model": kind, "size": said}, state.samples())
    assert chosen["size"] == default_size(model.config)
    assert not notices


@pytest.mark.parametrize(("text", "size"), [("224", 224), ("96x192", (96, 192)), ("64x64", 64)])
def test_sizes_as_text(text, size):
    assert parse_size(text) == size
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("text", ["", "x", "96x", "x96", "96 x 192", "96×192", "-96x192", "9.5x3", "1x2x3", "٩٦"])
def test_texts_that_are_no_sizes(text):
    with pytest.raises(ValueError, match="96x192"):
        parse_size(text)


def test_models_that_no_photo_fits_are_not_offered(monkeypatch):
    monkeypatch.setattr(zoo, "shared", lambda _: small(in_chans=4, img_size=32))
    with pytest.raises(ModelError, match="4 channels"):
        models._describe("four", "1")


@pytest.mark.parametrize("name", ["attention", "tokens", "explain"])
def test_the_command_line_takes_height_and_width(name, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(model_options, "load", lambda *_, **__: small(img_size=(32, 64)))

    def answer(*more):
        found = CliRunner().invoke(command, [name, str(photo), "-o", str(tmp_path), "--json", *more])
        assert found.exit_code == 0, found.output
        return SimpleNamespace(**json.loads(found.stdout))

    assert answer().grid == [2, 4]
    asked = answer("--size", "64x32")
    assert asked.grid == [4, 2]
    assert "64x32px" in str(asked.files)
    refused = CliRunner().invoke(command, [name, str(photo), "--size", "64by32"])
    assert refused.exit_code == 2


def test_a_native_fit_keeps_about_the_number_of_patches(photo):
    rows, columns = small(img_size=(32, 64)).trace(photo, fit="native").grid
    assert abs(rows * columns - 8) <= 2


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_the_handout_shows_it(options, photo):
    model = small(**{**options, "depth": 2})
    side, channels = model.config.patch_size, model.config.in_chans
    assert f"a vector of {side * side * channels} numbers" in made(model.trace(photo)).text
