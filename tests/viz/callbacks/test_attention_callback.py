"""The callback in a training loop of plain PyTorch."""

import warnings

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F

import vitviz
from vitviz.analysis.attention import head_statistics
from vitviz.errors import ArgumentError, ModelError, VitvizWarning
from vitviz.viz.callbacks import AttentionCallback

IMAGES = {name: torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(i)) for i, name in enumerate("ab")}


class Kept:
    """Writer that keeps the records."""

    def __init__(self):
        self.records = []

    def write(self, record):
        self.records.append(record)


def new_model():
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=3, img_size=32, patch_size=8, drop_rate=0.2)


def train(model, epochs=2, batches=2, on_epoch=lambda *_: None, on_step=lambda *_: None):
    """Train on noise, with dropout and random batches, so that any change of state changes the weights."""
    torch.manual_seed(5)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    model.train()
    for epoch in range(1, epochs + 1):
        for batch in range(1, batches + 1):
            loss = F.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.randint(3, (4,)))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            on_step(model, (epoch - 1) * batches + batch)
        on_epoch(model, epoch)
    return model


def test_the_training_ends_with_the_same_weights():
    alone, kept = train(new_model()), Kept()
    callback = AttentionCallback(IMAGES, [kept])
    observed = train(new_model(), on_epoch=callback.on_epoch_end)
    assert len(kept.records) == 2
    assert observed.training
    for one, other in zip(alone.state_dict().values(), observed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_records_have_the_means_of_the_images():
    kept = Kept()
    callback = AttentionCallback(IMAGES, [kept])
    model = train(new_model(), epochs=1, on_epoch=callback.on_epoch_end)
    (record,) = kept.records
    assert callback.last is record
    assert record.name == "epoch-00001"
    converted = vitviz.from_timm(model)
    expected = [head_statistics(converted.trace(image)) for image in IMAGES.values()]
    for name in ("distance", "entropy"):
        means = np.mean([getattr(one, name) for one in expected], axis=0)
        assert np.allclose(getattr(record.statistics, name), means, rtol=1e-4)
    assert record.scalars()["entropy/L02/H01"] == pytest.approx(float(record.statistics.entropy[1, 0]))
    assert set(record.pictures()) == set(IMAGES)
    assert 0 <= record.statistics.entropy.max() <= record.uniform_entropy + 1e-4


def test_intervals():
    model = new_model()
    for interval, unit, expected in [
        ({}, "epoch", [1, 2, 3, 4]),
        ({"every_n_epochs": 2}, "epoch", [2, 4]),
        ({"every_n_steps": 3}, "step", [3, 6]),
    ]:
        kept = Kept()
        callback = AttentionCallback(IMAGES, [kept], **interval)
        steps = 0
        for epoch in range(1, 5):
            for _ in range(2):
                steps += 1
                callback.on_step_end(model, steps)
            callback.on_epoch_end(model, epoch)
        assert [(one.unit, one.number) for one in kept.records] == [(unit, number) for number in expected]


def test_a_context_of_the_training_has_no_effect(small, photo):
    """Autocast, edits and a default device belong to the training."""
    callback = AttentionCallback([photo])
    expected = callback.record(small, 1).statistics
    pixels = torch.zeros(1, 3, *small.config.image_size)
    with vitviz.edit({"blocks.0.attn.z": torch.zeros_like}):
        with torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            found = callback.record(small, 2).statistics
        small(pixels)  # `edit` insists on a pass
    assert np.array_equal(found.entropy, expected.entropy)


def test_assumptions_are_noted_once():
    callback = AttentionCallback(IMAGES)
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        callback.record(new_model(), 1)
        callback.record(new_model(), 2)
    assert len([one for one in issued if issubclass(one.category, VitvizWarning)]) == 1


def test_a_full_disk_does_not_end_the_training():
    class Full:
        def write(self, record):
            raise OSError(28, "No space left on device")

    kept = Kept()
    callback = AttentionCallback(IMAGES, [Full(), kept])
    with pytest.warns(VitvizWarning, match="No space left"):
        callback.record(new_model(), 1)
    assert kept.records


def test_names_of_images(photo):
    record = AttentionCallback([photo, IMAGES["a"]], size=32, side=16).record(new_model(), 0)
    assert set(record.overviews) == {"cat", "image-2"}


def test_wrong_arguments(photo):
    for arguments, words in [
        (([],), "images"),
        ((photo,), "images"),
        ((str(photo),), "images"),
        (([photo, photo],), "cat"),
        ((IMAGES, [object()]), "write"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            AttentionCallback(*arguments)
    for wrong in ({"every_n_epochs": 0}, {"every_n_epochs": 1, "every_n_steps": 1}, {"side": 1}):
        with pytest.raises(ArgumentError):
            AttentionCallback(IMAGES, **wrong)


def test_a_model_that_cannot_be_read_is_named():
    model = new_model()
    model.blocks[0].attn.register_forward_hook(lambda *_: None)
    with pytest.raises(ModelError, match="hook"):
        AttentionCallback(IMAGES).record(model, 1)
