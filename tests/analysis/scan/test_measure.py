"""Measurements of a batch: the numbers that the functions for single images compute, for every kind of model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.random_models import CONFIGS, trace_of
from vitviz import ArgumentError, ImageError, ModelError, VisionTransformer, capture, edit
from vitviz.analysis.attention import head_statistics
from vitviz.analysis.attribution.last_attention import last_attention
from vitviz.analysis.classifier import features
from vitviz.analysis.scan import head_sums
from vitviz.analysis.scan.measure import measure
from vitviz.analysis.tokens import outliers
from vitviz.images import prepare, read_image
from vitviz.model.config import RoPE


def pictures(model, count=3, size=(32, 48)):
    """Prepared images of noise."""
    random = np.random.default_rng(3)
    noise = [Image.fromarray(random.integers(0, 255, (60, 90, 3), dtype=np.uint8)) for _ in range(count)]
    return [prepare(read_image(one), size, model.config.patch_size, "crop", model.preprocessing) for one in noise]


def with_random_weights(config):
    model, random = VisionTransformer(config, "random"), torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 2
    return model.requires_grad_(False)


def close(one, other):
    return np.allclose(one, other, rtol=1e-4, atol=1e-4)


def assert_is_that_of_traces(model, images, measured):
    traces, prefix = [model.trace(image) for image in images], model.config.num_prefix_tokens
    registers = slice(int(model.config.class_token), prefix)
    features_alone = features(model, images)
    for i, trace in enumerate(traces):
        statistics = head_statistics(trace)
        assert close(measured.distance[i], statistics.distance)
        assert (measured.entropy is None) == (statistics.entropy is None) == model.config.differential
        if statistics.entropy is not None:
            assert close(measured.entropy[i], statistics.entropy)
        weights = np.stack([trace.attention(layer)[:, prefix:] for layer in range(trace.layers)])
        assert (measured.to_class_token is None) == (not model.config.class_token)
        if model.config.class_token:
            assert close(measured.to_class_token[i], weights[..., 0].mean(axis=-1))
        if measured.to_registers is not None:
            assert close(measured.to_registers[i], weights[..., registers].sum(axis=-1).mean(axis=-1))
        expected = sorted(token - prefix for token in outliers(trace, -1).tokens)
        assert measured.outliers[i].tolist() == expected
        assert close(measured.class_map[i], last_attention(trace).numpy())
        if model.config.pooling == "distilled":
            assert close(measured.feature[i], trace.activation("norm")[:2].mean(axis=0))
        else:
            assert close(measured.feature[i], features_alone[i])
        if model.is_classifier:
            assert close(measured.output[i], trace.output)
        else:
            assert measured.output is None
            assert close(measured.feature[i], trace.output)


@pytest.mark.parametrize("rows", [1, 7, None])  # queries in a block of attention weights
@pytest.mark.parametrize("kind", CONFIGS)
def test_every_kind_of_model(kind, rows, monkeypatch):
    model = trace_of(kind).model
    if rows is not None:
        heads, tokens = model.config.num_heads, model.config.num_prefix_tokens + 24
        monkeypatch.setattr(head_sums, "BLOCK", {"cpu": rows * heads * tokens})
    images = pictures(model)
    assert_is_that_of_traces(model, images, measure(model, images))


@pytest.mark.parametrize(
    "changes",
    [
        {"num_registers": 2},
        {"num_classes": 0},
        {"fc_norm": True, "pooling": "mean", "pool_include_prefix": True},
        {"pooling": "token+mean", "num_registers": 1},
        {"rope": RoPE(), "num_heads": 2},
        {"block": "parallel", "qk_norm": True},
        {"num_classes": 0, "pooling": "distilled", "num_registers": 1},
    ],
)
def test_other_configurations(changes):
    model = with_random_weights(replace(CONFIGS["relative"], relative_position_bias=False, **changes))
    images = pictures(model, 2, (16, 24))
    assert_is_that_of_traces(model, images, measure(model, images))


def test_registers_are_told_from_the_distillation_token_and_the_class_token(small):
    assert measure(small, pictures(small)).to_registers.shape == (3, 3, 3)
    assert measure(trace_of("distilled").model, pictures(small)).to_registers is None
    assert measure(trace_of("relative").model, pictures(small)).to_registers is None
    only_registers = measure(trace_of("mean with registers").model, pictures(small))
    assert only_registers.to_class_token is None
    assert only_registers.to_registers.min() > 0


def test_the_shipped_model_finds_its_outliers(model, photo):
    images = [
        prepare(read_image(path), 224, 14, "crop", model.preprocessing)
        for path in (photo, photo.with_name("coffee.jpg"))
    ]
    measured = measure(model, images)
    assert_is_that_of_traces(model, images, measured)
    assert measured.feature.shape == (2, 384)


def test_planted_outliers_are_found():
    model = with_random_weights(replace(CONFIGS["relative"], relative_position_bias=False))
    for block in model.blocks:  # nothing but the position embeddings remains in the residual stream
        block.ls1.gamma.data.zero_()
        block.ls2.gamma.data.zero_()
    model.pos_embed.data[0, 1 + 5] += 100
    model.pos_embed.data[0, 1 + 2] += 300
    measured = measure(model, pictures(model))
    assert [one.tolist() for one in measured.outliers] == [[2, 5]] * 3


def test_patch_tokens_of_layers(small):
    images = pictures(small)
    measured = measure(small, images, patch_tokens=[0, -1])
    assert set(measured.tokens) == {0, 2}
    for layer, tokens in measured.tokens.items():
        assert tokens.dtype == np.float16
        for i, image in enumerate(images):
            assert np.allclose(tokens[i], small.trace(image).tokens(layer)[small.config.num_prefix_tokens :], rtol=2e-3)


def test_large_tokens_stay_finite_in_half_precision():
    model = with_random_weights(CONFIGS["mean"])
    model.pos_embed.data *= 1e6
    assert np.isfinite(measure(model, pictures(model), patch_tokens=[0]).tokens[0]).all()


def test_statistics_can_be_left_out(small):
    images = pictures(small)
    whole, short = measure(small, images), measure(small, images, head_statistics=False)
    assert short.distance is short.entropy is short.to_class_token is short.to_registers is None
    assert close(short.feature, whole.feature)
    assert close(short.class_map, whole.class_map)


def test_one_pass_for_all_images(small, monkeypatch):
    forward, passes = VisionTransformer.forward, []
    monkeypatch.setattr(VisionTransformer, "forward", lambda self, x: passes.append(len(x)) or forward(self, x))
    measure(small, pictures(small, 4))
    assert passes == [4]


def test_hooks_around_it_have_no_effect(small):
    images = pictures(small)
    alone = measure(small, images)
    with edit({"blocks.0.attn.scores": torch.zeros_like, "norm": torch.zeros_like}):
        with capture() as recorded:
            inside = measure(small, images)
        small.trace(images[0])  # an edit that no pass reached is an error
    assert recorded == {}
    assert np.array_equal(inside.output, alone.output)
    assert np.array_equal(inside.entropy, alone.entropy)


def test_attention_to_one_token_has_no_entropy():
    model = with_random_weights(CONFIGS["relative"])
    for block in model.blocks:
        block.attn.relative.table.data.zero_()
        block.attn.qkv.weight.data *= 1e3
    entropy = measure(model, pictures(model)).entropy
    assert (entropy >= 0).all()


def test_images_that_make_no_batch_are_refused(small, photo):
    wide = pictures(small, 1, (16, 48))
    with pytest.raises(ImageError, match="16 x 48"):
        measure(small, [*pictures(small, 1), *wide])
    with pytest.raises(ArgumentError, match="images"):
        measure(small, [])
    with pytest.raises(ArgumentError, match="images"):
        measure(small, [photo])
    with pytest.raises(ImageError, match="patches"):
        measure(small, [prepare(read_image(photo), 32, 16)])
    with pytest.raises(IndexError, match="layer"):
        measure(small, pictures(small), patch_tokens=[3])


def test_weights_that_are_not_finite_are_named():
    model = with_random_weights(CONFIGS["mean"])
    model.pos_embed.data[0, 3] = float("nan")
    with pytest.raises(ModelError, match="random"):
        measure(model, pictures(model))
