"""Curves over a training run: each number is that of the checkpoint loaded alone."""

from dataclasses import replace

import numpy as np
import pytest

import vitviz
from tests.support.training_runs import write_run
from vitviz import ArgumentError, ModelError
from vitviz.analysis import attention, tokens
from vitviz.analysis.training import LOCAL, TrainingCurves, first_local_head
from vitviz.zoo import assets, run_names

DIGITS = assets() / "images" / "digits"
PROBED = [DIGITS / f"digit-{digit}.png" for digit in (0, 3, 8)]


@pytest.fixture(scope="module")
def curves():
    return vitviz.training_curves(vitviz.load_run("digits"), DIGITS / "digit-4.png", probe_images=PROBED)


def test_the_numbers_are_those_of_each_checkpoint_alone(curves):
    for at, name in enumerate(run_names("digits")):
        model = vitviz.load(name)
        trace = model.trace(DIGITS / "digit-4.png")
        statistics = attention.head_statistics(trace)
        probe = tokens.position_probe([tokens.patch_positions(model.trace(image)) for image in PROBED])
        np.testing.assert_allclose(curves.position_r2[at], probe.r2.mean(axis=1), rtol=1e-6)
        weights = trace.attention(2, 1, 20)
        places = attention.patch_distances(trace.grid, trace.config.patch_size)[20 - trace.prefix]
        among = weights[trace.prefix :] / weights[trace.prefix :].sum()
        assert curves.distance_of(2, 1, 20)[at] == pytest.approx((among * places).sum(), rel=1e-4)
        assert curves.entropy_of(2, 1, 20)[at] == pytest.approx(-(weights * np.log2(weights)).sum(), rel=1e-4)
        assert curves.distance_of(5, 3)[at] == pytest.approx(statistics.distance[5, 3], rel=1e-5)
        assert curves.entropy_of(5, 3)[at] == pytest.approx(statistics.entropy[5, 3], rel=1e-5)
        assert curves.entropy_of(-1)[at] == pytest.approx(statistics.entropy[-1].mean(), rel=1e-5)


def test_accuracy_is_that_of_the_run_and_grows(curves):
    np.testing.assert_array_equal(curves.accuracy, vitviz.load_run("digits").accuracy)
    assert curves.accuracy[0] < 0.3
    assert curves.accuracy[-1] > 0.95


def test_before_training_attention_is_nearly_uniform_and_later_a_head_is_local(curves):
    assert curves.entropy[0].mean() > 0.95 * curves.uniform_entropy
    found = first_local_head(curves)
    assert 0 < found.checkpoint < len(curves.steps)
    of_heads = curves.distance.mean(axis=-1)
    assert of_heads[: found.checkpoint].min() > LOCAL * found.uniform
    assert of_heads[found.checkpoint].min() == pytest.approx(found.distance)
    assert found.distance == pytest.approx(float(curves.distance_of(found.layer, found.head)[found.checkpoint]))


def test_a_prefix_token_has_no_distance(curves):
    assert curves.distance_of(0, 0, 0) is None
    assert curves.entropy_of(0, 0, 0).shape == (len(curves.steps),)


def made(distances: np.ndarray) -> TrainingCurves:
    """Curves with these distances, [checkpoint, layer, head], for every query of a grid of 2 x 2 patches of 8 px."""
    uniform = attention.patch_distances((2, 2), 8).mean(axis=1)
    steps = tuple(f"step-{step}" for step in range(len(distances)))
    return TrainingCurves(steps, None, np.repeat(distances[..., None], 4, axis=-1), None, None, uniform, 1)


def test_the_first_local_head_of_distances_made_by_hand():
    uniform = (0 + 8 + 8 + 8 * 2**0.5) / 4
    distances = np.full((3, 2, 2), uniform)
    assert first_local_head(made(distances)) is None
    distances[1, 1, 0], distances[2] = 0.74 * uniform, 0.1
    found = first_local_head(made(distances))
    assert (found.checkpoint, found.layer, found.head) == (1, 1, 0)
    assert found.uniform == pytest.approx(uniform)
    assert first_local_head(made(distances), most=0.3).checkpoint == 2
    assert made(distances).entropy_of(0) is None


def test_progress_memory_and_a_stop(tmp_path):
    run, heard = vitviz.load_run(write_run(tmp_path / "run", ["1.pth", "2.pth", "3.pth"])), []
    curves = vitviz.training_curves(run, DIGITS / "digit-4.png", progress=lambda *done: heard.append(done))
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert curves.steps == ("1", "2", "3")
    assert curves.accuracy is None
    assert curves.position_r2 is None
    assert len(run._models) == 2

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vitviz.training_curves(run, DIGITS / "digit-4.png", progress=stop)


def test_what_is_refused(tmp_path):
    run = vitviz.load_run(write_run(tmp_path / "run", ["1.pth", "2.pth"]))
    with pytest.raises(ArgumentError, match="at least two"):
        vitviz.training_curves(run, DIGITS / "digit-4.png", probe_images=PROBED[:1])
    (tmp_path / "run" / "2.pth").write_bytes(b"")
    with pytest.raises(ModelError, match=r"2\.pth"):
        vitviz.training_curves(run, DIGITS / "digit-4.png")


def test_curves_state_their_shapes_in_one_line(curves):
    assert "distance=float32 [" in repr(curves)
    assert "\n" not in repr(replace(curves, accuracy=None))
