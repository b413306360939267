"""Linear CKA, against plain numpy."""

import numpy as np
import pytest
import torch

import vitviz
from vitviz.analysis.comparison import layer_similarity, linear_cka
from vitviz.errors import ArgumentError, ImageError
from vitviz.ui.app import state


def hsic(x, y):
    """Unbiased HSIC with loops, equation 5 of Song et al. 2012."""
    n = len(x)
    k, l = x @ x.T, y @ y.T  # noqa: E741 - as in the paper
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    ones = np.ones(n)
    total = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + total - 2 / (n - 2) * (ones @ k @ l @ ones)) / (n * (n - 3))


def plain_cka(pairs):
    """CKA of one pair of layers from minibatches of features."""
    cross, a, b = (sum(hsic(*which(x, y)) for x, y in pairs) for which in
                   (lambda x, y: (x, y), lambda x, y: (x, x), lambda x, y: (y, y)))  # fmt: skip
    return cross / np.sqrt(a * b)


def features(seed, samples, width):
    return np.random.default_rng(seed).normal(size=(samples, width))


def test_linear_cka_is_that_of_the_papers():
    x, y = features(0, 12, 5), features(1, 12, 7)
    y[:, :5] += x
    assert linear_cka(x, y) == pytest.approx(plain_cka([(x, y)]), abs=1e-9)


def test_rotation_scale_and_shift_do_not_matter_but_other_maps_do():
    x = features(0, 20, 6)
    rotation = np.linalg.qr(features(1, 6, 6))[0]
    assert linear_cka(x, 3 * x @ rotation + 100) == pytest.approx(1, abs=1e-9)
    assert linear_cka(x, x * [9, 1, 1, 1, 1, 1]) < 0.99


def test_unrelated_features_are_around_0_even_with_few_samples_and_many_dimensions():
    found = [linear_cka(features(seed, 10, 200), features(seed + 100, 10, 200)) for seed in range(50)]
    assert abs(np.mean(found)) < 0.05


def test_samples_that_do_not_differ_have_none():
    assert np.isnan(linear_cka(np.ones((5, 3)), features(0, 5, 3)))


def test_too_few_or_different_samples_are_refused():
    with pytest.raises(ArgumentError):
        linear_cka(features(0, 3, 2), features(0, 3, 2))
    with pytest.raises(ArgumentError, match="5 and 6"):
        linear_cka(features(0, 5, 2), features(0, 6, 2))


def test_all_layers_of_a_model_over_patches():
    model = vitviz.load("digits")
    images = [state.samples()[name] for name in ("digit-4", "digit-0", "digit-7")]
    found = vitviz.cka(model, model, images)
    assert (found.over, found.images, found.samples) == ("patches", 3, 3 * np.prod(model.trace(images[0]).grid))
    np.testing.assert_allclose(found.values, found.values.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(found.values), 1, atol=1e-6)
    traces = [model.trace(image) for image in images]
    pairs = [[trace.tokens(layer)[trace.prefix :].astype(np.float64) for layer in (1, 4)] for trace in traces]
    assert found.values[1, 4] == pytest.approx(plain_cka(pairs), abs=1e-5)


def test_all_layers_of_two_models_over_images(monkeypatch):
    run = vitviz.load_run("digits")
    models = run.load(3), vitviz.load("digits")
    images = [
        state.samples()[name] for name in ("digit-4", "digit-0", "digit-7", "digit-3", "digit-8", "cat", "coffee")
    ]
    images.append(state.samples()["rocket"])
    means = []
    for model in models:
        traces = [model.trace(image) for image in images]
        means.append(np.array([trace.tokens(2)[trace.prefix :].astype(np.float64).mean(axis=0) for trace in traces]))
    found = vitviz.cka(*models, images, over="images")
    assert (found.samples, found.minibatches) == (8, 1)
    assert found.values[2, 2] == pytest.approx(plain_cka([means]), abs=1e-4)
    monkeypatch.setattr(layer_similarity, "MOST_SAMPLES", 4)
    parts = vitviz.cka(*models, images, over="images")
    assert parts.minibatches == 2
    pairs = [(means[0][half], means[1][half]) for half in (slice(4), slice(4, 8))]
    assert parts.values[2, 2] == pytest.approx(plain_cka(pairs), abs=1e-4)


def test_models_of_other_grids_and_depths(small):
    other = vitviz.VisionTransformer(
        vitviz.ViTConfig(image_size=(32, 32), patch_size=16, embed_dim=8, depth=2, num_heads=1, head_dim=8, mlp_dim=8)
    )
    torch.manual_seed(0)
    for parameter in other.parameters():
        parameter.data = torch.randn(parameter.shape)
    steps = []
    image = torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(0))
    found = vitviz.cka(
        small, other.requires_grad_(False), [image], progress=lambda done, total: steps.append((done, total))
    )
    assert found.values.shape == (3, 2)
    assert found.samples == 6
    assert np.isfinite(found.values).all()
    assert steps == [(0, 1), (1, 1)]


def test_too_few_images_are_refused(small):
    with pytest.raises(ArgumentError, match="images"):
        vitviz.cka(small, small, [])
    with pytest.raises(ArgumentError, match="images"):
        vitviz.cka(small, small, [torch.zeros(3, 32, 48)] * 3, over="images")


def test_messages_name_the_image_and_a_size_that_fits_both_models(model):
    digits, images = vitviz.load("digits"), [state.samples()[name] for name in ("digit-4", "cat")]
    with pytest.raises(ImageError, match="multiple of 28"):
        vitviz.cka(digits, model, images, size=13)
    assert vitviz.cka(digits, model, images, size=28 * 2).values.shape == (6, 12)
    with pytest.raises(ImageError, match=r"images\[1\]"):
        vitviz.cka(digits, digits, [images[0], b"no image"])
    with pytest.raises(ArgumentError, match="larger size"):
        vitviz.cka(digits, digits, images, size=4)
