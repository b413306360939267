"""Classes given by index or name, in all functions that take a class."""

import numpy as np
import pytest
import torch

import vitviz
from tests.support.facts import assert_mentions
from tests.support.image_files import assert_one_sentence
from vitviz import ClassTarget, DifferenceTarget, ModelError, explain, faithfulness
from vitviz.analysis.ablation import class_score, distance, sweep_heads, sweep_layers, sweep_patches
from vitviz.analysis.predictions import class_index, class_name

LABELS = ("tabby cat", "Tiger cat", "lynx", "2", "tiger cat")


@pytest.fixture(scope="module")
def named(small):
    model = vitviz.VisionTransformer(small.config, "named", labels=LABELS)
    model.load_state_dict(small.state_dict())
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def seen(named, photo):
    return named.trace(photo)


CHOSEN = [(2, 2), ("lynx", 2), ("LYNX", 2), (-3, 2), (np.int64(2), 2), (torch.tensor(2), 2)]
CHOSEN += [("2", 3), ("4", 4), ("Tiger cat", 1), ("tiger cat", 4)]


@pytest.mark.parametrize(("chosen", "index"), CHOSEN)
def test_a_class_by_number_or_name_is_the_same_everywhere(chosen, index, named, seen):
    words = LABELS[index]
    assert class_index(named, chosen) == index
    expected = explain(named, seen, target=ClassTarget(index))
    for target in (chosen, ClassTarget(chosen)):
        found = explain(named, seen, target=target)
        assert found.target == words == expected.target
        assert found.value == seen.output[index]
        assert np.array_equal(found.map, expected.map)
    curves = [faithfulness.curves(named, seen, expected.map, one, steps=2).deletion for one in (chosen, index)]
    assert np.array_equal(*curves)
    random = [faithfulness.random_curves(named, seen, one, steps=2, seeds=1).insertion for one in (chosen, index)]
    assert np.array_equal(*random)
    maps = [vitviz.patch_lens(seen, one) for one in (chosen, index)]
    assert np.array_equal(*maps)
    assert class_score(named, chosen).label.endswith(f" {words}")
    for sweep in (sweep_heads, sweep_layers, sweep_patches):
        by_score = sweep(named, seen, class_score(named, index))
        assert np.array_equal(sweep(named, seen, chosen), by_score)
        assert np.array_equal(sweep(named, seen, ClassTarget(chosen)), by_score)


def test_a_difference_of_classes_by_name(named, seen):
    for target in (DifferenceTarget("lynx", "tabby cat"), DifferenceTarget(2, -5)):
        found = explain(named, seen, target=target)
        assert_mentions(found.target, "lynx", "tabby cat")
        assert found.value == pytest.approx(seen.output[2] - seen.output[0])
    with pytest.raises(ModelError, match="always 0"):
        explain(named, seen, target=DifferenceTarget("lynx", 2))
    effect = sweep_layers(named, seen, DifferenceTarget("lynx", "tabby cat"))
    logits = [sweep_layers(named, seen, class_score(named, one, "logit")) for one in (2, 0)]
    assert effect == pytest.approx(logits[0] - logits[1], abs=1e-5)


def test_own_words_are_kept(named, seen):
    assert explain(named, seen, target=ClassTarget(2, "the lynx")).target == "the lynx"
    assert_mentions(explain(named, seen, target=DifferenceTarget(2, 0, ("a", ""))).target, "a", "tabby cat")


@pytest.mark.parametrize(
    ("chosen", "nearest"),
    [("lnyx", ["lynx"]), ("tabby", ["tabby cat"]), ("zebra", []), ("", []), ("x" * 10**5, []), ("9", []), ("-1", [])],
)
def test_a_name_that_is_unknown_is_refused_with_the_nearest(chosen, nearest, named, seen):
    for call in (
        lambda: explain(named, seen, target=chosen),
        lambda: faithfulness.curves(named, seen, np.zeros(seen.grid), chosen),
        lambda: sweep_heads(named, seen, chosen),
        lambda: vitviz.patch_lens(seen, chosen),
        lambda: class_score(named, chosen),
    ):
        with pytest.raises(ModelError) as caught:
            call()
        assert_one_sentence(str(caught.value))
        assert all(name in str(caught.value) for name in (*nearest, "0 to 4"))


def test_names_that_mean_several_classes(named, seen):
    with pytest.raises(ModelError, match="1, 4"):
        explain(named, seen, target="TIGER CAT")


def test_numbers_out_of_range(named, seen):
    for index in (5, -6):
        with pytest.raises(IndexError, match="0 to 4"):
            explain(named, seen, target=index)
        with pytest.raises(IndexError, match="0 to 4"):
            sweep_heads(named, seen, index)


def test_without_names_a_class_has_its_number(small, photo):
    trace = small.trace(photo)
    assert explain(small, trace, target="3").target == class_name(small, 3)
    with pytest.raises(ModelError, match="0 to 4"):
        explain(small, trace, target="lynx")


def test_without_classes(model, trace):
    for target in (0, "cat"):
        with pytest.raises(ModelError, match=model.name):
            explain(model, trace, target=target)
    with pytest.raises(ModelError):
        sweep_heads(model, trace, 0)
    assert sweep_layers(model, trace, distance(trace)).shape == (12, 2)


@pytest.mark.parametrize("junk", [2.5, True, None, [1], b"lynx", object()])
def test_what_is_no_class(junk):
    for make in (lambda: ClassTarget(junk), lambda: DifferenceTarget(0, junk)):
        with pytest.raises(vitviz.ArgumentError):
            make()
