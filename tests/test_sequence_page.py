"""The page "Image to sequence": every sum on it holds, for many kinds of models and images."""

import re

import pytest
import timm
import torch

import vitviz
from vitviz import sequence, zoo
from vitviz.ui import models, state
from vitviz.ui.strips import number

from .test_app import APP, AppTest, texts


def story(**parameters: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=120)
    app.query_params.update(parameters)
    return app.switch_page("pages/sequence.py").run()


def words(app: AppTest) -> str:
    """All text, without the markup of symbols."""
    return re.sub(r"<[^>]+>", "", texts(app)).replace("\\", "")


def assert_all_hold(app: AppTest) -> None:
    assert not app.exception
    assert not app.error
    assert words(app).count("✓") >= 3
    assert "✗" not in words(app)


@pytest.mark.parametrize(
    ("model", "image", "said"),
    [
        ("dinov2-small", "cat", "16 rows of 16 patches"),
        ("dinov2-small", "pagoda", "16 rows of 16 patches"),
        ("digits", "digit-4", "8 rows of 8 patches"),
    ],
)
def test_the_story_is_told_with_real_numbers(model, image, said):
    app = story(model=model, image=image)
    assert_all_hold(app)
    assert said in words(app)


@pytest.mark.parametrize("dimension", [1, 200, 384])
def test_a_number_of_the_token_is_the_librarys(dimension):
    app = story(image="coffee")
    app.session_state.patch = (2, 3)
    app.slider(key="dimension").set_value(dimension).run()
    assert_all_hold(app)
    trace = vitviz.load("dinov2-small").trace(state.samples()["coffee"], size=224, record=("embed.*",))
    made = sequence.project(trace, 2 * 16 + 3, dimension - 1)
    assert f"plus the bias {number(made.bias)} = **{number(made.total)}**" in words(app)
    recorded = trace.activation("embed.patches")[2 * 16 + 3, dimension - 1]
    assert f"model **{number(recorded)}**" in words(app)


def test_where_each_pixel_went():
    app = story(image="cat")
    app.slider(key="vector_index").set_value(3 * (14 * 2 + 5) + 2).run()
    assert "is the green of the pixel in row 3, column 6 of the patch" in words(app)
    assert_all_hold(app)


def test_shuffling_moves_the_feature_only_because_of_positions():
    app = story(image="rocket")
    app.toggle(key="shuffle").set_value(True).run()
    with_positions, without = (float(metric.value) for metric in app.metric)
    assert with_positions < 0.999
    assert without == pytest.approx(1, abs=1e-4)
    app.number_input(key="shuffle_seed").set_value(7).run()
    assert float(app.metric[0].value) != with_positions
    assert_all_hold(app)


def test_all_positions_and_a_row_of_the_sequence():
    app = story(image="cat")
    app.toggle(key="all_positions").set_value(True).run()
    app.slider[-1].set_value(1).run()
    assert "Row 1, class token" in words(app)
    app.slider[-1].set_value(20).run()
    assert app.session_state.patch == (1, 2)
    assert_all_hold(app)


def test_another_grid_has_another_middle():
    app = story(image="cat", size="518")
    app.session_state.patch = (36, 36)
    app.run()
    app.selectbox(key="size").select(224).run()
    assert app.session_state.patch == (8, 8)
    assert_all_hold(app)


KINDS = {
    "no class token": "vit_base_patch16_siglip_224",
    "registers, no positions on them": "vit_medium_patch16_reg4_gap_256",
    "rotary": "eva02_tiny_patch14_224",
    "norm before the first block": "vit_base_patch16_clip_224",
    "relative": "beit_base_patch16_224",
    "distilled": "deit_tiny_distilled_patch16_224",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_told_as_it_is(kind, monkeypatch):
    torch.manual_seed(0)
    theirs = timm.create_model(KINDS[kind], depth=1, embed_dim=96, num_heads=3, num_classes=4)
    model = vitviz.from_timm(theirs)
    about = models.About(kind, kind, "", model.config, model.preprocessing, models.sizes(model.config))
    real_about, real_shared = models.about, zoo.shared
    monkeypatch.setattr(models, "about", lambda name: about if name == kind else real_about(name))
    monkeypatch.setattr(zoo, "shared", lambda name, *more: model if name == kind else real_shared(name, *more))
    monkeypatch.setattr(models, "is_ready", lambda name: True)
    app = story(model=kind, image="cat")
    assert_all_hold(app)
    config, said = model.config, words(app)
    assert ("wCLS" in said) == config.class_token
    assert ("Wpos" in said) == config.learned_positions
    assert ("rotary positions" in said) == (config.rotary is not None)
    assert ("relative positions" in said) == config.relative_positions
    assert f"{config.prefix + config.grid[0] * config.grid[1]} tokens of" in said
