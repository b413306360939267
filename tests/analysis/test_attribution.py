"""vitviz.explain: inputs, errors and results for every method and every kind of model, without side effects."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import vitviz
from tests.support import random_models as kinds
from tests.support.exhaustive import exhaustive
from tests.support.explained_traces import ALL, explained
from tests.support.facts import assert_mentions, mentions
from vitviz import HookError, ImageError, ModelError, VitvizError, explain
from vitviz.analysis.attribution import METHODS, ClassTarget, DifferenceTarget, SimilarityTarget, Target
from vitviz.analysis.attribution.targets import default_target
from vitviz.zoo import assets

EXPLAIN_A_TARGET = tuple(METHODS)[2:]
FAST = {"integrated_gradients": {"steps": 4}}


@pytest.fixture(scope="module")
def digits():
    return vitviz.load("digits")


@pytest.fixture(scope="module")
def four(digits):
    return digits.trace(assets() / "images" / "digits" / "digit-4.png")


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "dinov2-small"])
def test_every_method_explains_every_kind_of_model_or_says_why_not(kind):
    trace = explained(kind)
    for method in METHODS:
        if method == "rollout" and trace.config.differential:
            with pytest.raises(ModelError, match="negative"):
                explain(trace.model, trace, method=method)
            continue
        found = explain(trace.model, trace, method=method, **FAST.get(method, {}))
        assert found.map.shape == trace.grid
        assert found.map.dtype == np.float32
        assert np.isfinite(found.map).all()
        assert np.ptp(found.map) > 0
        assert found.signed or (found.map >= 0).all()
        assert found.seconds > 0
        assert not found.map.flags.writeable


@pytest.mark.parametrize("kind", sorted(kinds.CONFIGS))
def test_signed_says_whether_the_map_may_be_negative(kind):
    trace = kinds.trace_of(kind)
    signed = {method for method in METHODS if method != "rollout" and explain(trace.model, trace, method=method).signed}
    assert signed == {"integrated_gradients", "occlusion"} | ({"attention"} if kind == "differential" else set())


@pytest.mark.parametrize("method", METHODS)
def test_an_image_and_its_trace_are_explained_alike(method, digits, four):
    path = assets() / "images" / "digits" / "digit-4.png"
    of_image, of_trace = explain(digits, path, method=method), explain(digits, four, method=method)
    assert np.array_equal(of_image.map, of_trace.map)
    assert of_image.target == of_trace.target == ("4" if method in EXPLAIN_A_TARGET else "")
    assert of_image.method == method


def test_size_and_fit_are_those_of_a_trace(small):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 60, 3), dtype=np.uint8))
    found = explain(small, picture, size=40, fit="squash", method="rollout")
    assert np.array_equal(found.map, explain(small, small.trace(picture, size=40, fit="squash"), method="rollout").map)
    assert found.map.shape == (5, 5)
    with pytest.raises(ImageError, match="whole patches"):
        explain(small, picture, size=41)


def test_all_parameters_in_force_are_reported(small, small_trace):
    assert explain(small, small_trace, method="attention").parameters == {"head": None, "layer": -1}
    found = explain(small, small_trace, method="rollout", head_fusion="max")
    assert found.parameters == {"head_fusion": "max", "discard_ratio": 0.0}
    assert explain(small, small_trace, method="occlusion").parameters == {"window": 1, "stride": 1, "baseline": "mean"}
    assert explain(small, small_trace).method == "gradient_attention"


def test_without_a_target_the_likeliest_class_is_explained(digits, four):
    found = explain(digits, four)
    assert found.target == "4"
    assert found.value == pytest.approx(float(four.output.max()))
    assert np.array_equal(found.map, explain(digits, four, target=ClassTarget(4)).map)
    assert not np.array_equal(found.map, explain(digits, four, target=ClassTarget(9)).map)


def test_without_classes_the_image_s_own_feature_is_explained(model, trace):
    found = explain(model, trace, method="gradient_attention")
    assert found.target == default_target(trace).label
    assert found.value == pytest.approx(1, abs=1e-5)


def test_the_cosine_with_itself_has_no_gradient_and_is_refused(model, trace):
    with pytest.raises(ModelError, match="gradient"):
        explain(model, trace, target=SimilarityTarget.of([trace], "itself"))


def test_a_similarity_to_other_images(model, trace):
    others = [model.trace(assets() / "images" / f"{name}.jpg") for name in ("flower", "coffee")]
    found = explain(model, trace, target=SimilarityTarget.of(others, "flower, coffee"))
    unit = [other.output / np.linalg.norm(other.output) for other in others]
    mean = (unit[0] + unit[1]) / 2
    cosine = mean @ trace.output / np.linalg.norm(mean) / np.linalg.norm(trace.output)
    assert found.value == pytest.approx(float(cosine), abs=1e-5)
    assert found.target == "flower, coffee"


def test_a_difference_is_that_of_the_logits(digits, four):
    found = explain(digits, four, method="occlusion", target=DifferenceTarget(4, -1, ("four", "nine")))
    one, other = (explain(digits, four, method="occlusion", target=ClassTarget(index)) for index in (4, 9))
    assert_mentions(found.target, "four", "nine")
    assert found.value == pytest.approx(one.value - other.value, abs=1e-5)
    assert found.map == pytest.approx(one.map - other.map, abs=1e-4)


def test_a_target_of_one_s_own(digits, four):
    class Norm(Target):
        words = "length of the logits"

        def __call__(self, output):
            return output.norm(dim=-1)

    assert explain(digits, four, target=Norm()).value == pytest.approx(float(np.linalg.norm(four.output)), rel=1e-6)


@pytest.mark.parametrize("index", [10, -11, 1000])
def test_a_class_out_of_range(index, digits, four):
    for target in (ClassTarget(index), DifferenceTarget(0, index)):
        with pytest.raises(IndexError, match=mentions(index, 10)):
            explain(digits, four, target=target)


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (DifferenceTarget(3, -7), "always 0"),
        (SimilarityTarget(np.ones(3), "three"), mentions("[3]", "[10]")),
        (SimilarityTarget(np.zeros(10), "nothing"), "finite"),
        (SimilarityTarget(np.full(10, np.nan), "nothing"), "finite"),
        (4.5, mentions("Target", "4.5")),
        (True, mentions("Target", "True")),
        ("cat", "'cat'"),
    ],
)
def test_targets_that_are_none(target, error, digits, four):
    with pytest.raises(VitvizError, match=error):
        explain(digits, four, target=target)


@pytest.mark.parametrize("method", ["attention", "rollout"])
def test_a_target_that_is_not_used_has_to_be_one(method, digits, four):
    assert explain(digits, four, method=method, target=ClassTarget(3)).target == ""
    with pytest.raises(ModelError, match=mentions("Target", "2.5")):
        explain(digits, four, method=method, target=2.5)
    with pytest.raises(ModelError, match="'junk'"):
        explain(digits, four, method=method, target="junk")


def test_a_class_of_a_model_without_classes(model, trace):
    with pytest.raises(ModelError, match=model.name):
        explain(model, trace, target=ClassTarget(0))


def test_similarity_needs_images_of_one_model(trace, four):
    for traces in ([], [trace, four]):
        with pytest.raises(ModelError, match="one"):
            SimilarityTarget.of(traces, "")


@pytest.mark.parametrize(
    ("method", "parameters", "error"),
    [
        ("magic", {}, mentions("'magic'", *METHODS)),
        (None, {}, mentions("None", *METHODS)),
        ("rollout", {"head": 1}, mentions("rollout", "'head'", "head_fusion", "discard_ratio")),
        ("gradient_attention", {"steps": 1}, mentions("gradient_attention", "'steps'")),
        ("rollout", {"trace": 1}, "'trace'"),
        ("rollout", {"head_fusion": "sum"}, mentions("'sum'", "mean", "max", "min")),
        *(("rollout", {"discard_ratio": ratio}, "below 1") for ratio in (1, -0.1, "0.5", float("nan"), None)),
        *(("attention", {"head": head}, "whole number") for head in ("0", 0.0, True)),
        ("attention", {"layer": "last"}, "whole number"),
        ("legrad", {"tokens": "class"}, mentions("'class'", "mean", "pooling")),
        *(("integrated_gradients", {"steps": steps}, mentions(1)) for steps in (0, -1, 2.5, "9", 10**9)),
        ("integrated_gradients", {"baseline": "black"}, mentions("'black'", "blur", "mean")),
        ("occlusion", {"baseline": None}, mentions("None", "blur", "mean")),
        *(("occlusion", {"window": window}, mentions(1, 8)) for window in (0, 9, 1.5)),
    ],
)
def test_parameters_that_are_not_possible(method, parameters, error, digits, four):
    with pytest.raises(VitvizError, match=error):
        explain(digits, four, method=method, **parameters)


@pytest.mark.parametrize("parameters", [{"head": 4}, {"head": -5}, {"layer": 6}, {"layer": "pool"}])
def test_heads_and_layers_out_of_range(parameters, digits, four):
    with pytest.raises(IndexError):
        explain(digits, four, method="attention", **parameters)


def test_a_trace_of_another_model(model, four):
    with pytest.raises(ModelError, match=mentions("'digits'", "trace.model")):
        explain(model, four)


@pytest.mark.parametrize("method", METHODS)
def test_what_an_edit_made_is_only_explained_from_what_it_left(method, small, small_trace):
    pixels = torch.tensor(small_trace.pixels())
    with vitviz.edit({"blocks.1.attn.z": lambda z: z * 0}):
        edited = small.trace(pixels)
        if method in EXPLAIN_A_TARGET:
            with pytest.raises(HookError, match="edit"):
                explain(small, pixels, method=method)
        without_hooks = explain(small, small_trace, method=method)
    assert np.array_equal(without_hooks.map, explain(small, small_trace, method=method).map)
    if method in EXPLAIN_A_TARGET:
        with pytest.raises(HookError, match="edit"):
            explain(small, edited, method=method)
    else:
        assert np.ptp(explain(small, edited, method=method).map - without_hooks.map) > 0


def test_nothing_of_it_is_captured_by_others(small, small_trace):
    with vitviz.capture("logits") as kept:
        logits = small(torch.tensor(small_trace.pixels())[None])
        explain(small, small_trace)
        explain(small, small_trace, method="occlusion")
    assert kept["logits"] is logits


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("method", EXPLAIN_A_TARGET)
def test_gradients_do_not_depend_on_the_caller(around, method, digits, four):
    with around():
        found = explain(digits, four, method=method)
    assert np.array_equal(found.map, explain(digits, four, method=method).map)


@pytest.mark.parametrize("trainable", [exhaustive(False), True])
def test_eight_threads_agree_with_one_and_leave_nothing_on_the_model(trainable, photo):
    model = vitviz.load("digits").requires_grad_(trainable)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    work = [(ClassTarget(index % 10), method) for index in range(8) for method in EXPLAIN_A_TARGET]

    def run(task):
        target, method = task
        return explain(model, photo, method=method, target=target).map

    alone = [run(task) for task in work]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(run, work))
    assert all(np.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(alone, together, strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert {parameter.requires_grad for parameter in model.parameters()} == {trainable}
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("method", "passes"), [("occlusion", 64), ("integrated_gradients", 32)])
def test_progress_is_told_to_the_end_and_can_stop(method, passes, digits, four):
    told = []
    explain(digits, four, method=method, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] >= passes
    assert [done for done, _ in told] == sorted({done for done, _ in told})

    class StopError(Exception):
        pass

    def stop(done, total):
        raise StopError

    with pytest.raises(StopError):
        explain(digits, four, method=method, progress=stop)


def test_numbers_that_are_not_finite_are_refused():
    model = vitviz.VisionTransformer(replace(kinds.PLAIN, num_classes=0), "broken").requires_grad_(False)
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    image = torch.zeros(3, 32, 48)
    for method in METHODS:
        with pytest.raises(VitvizError, match="not finite"):
            explain(model, image, method=method)
