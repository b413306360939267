"""vitviz.model.hooks: every activation can be captured and edited, in one context without effect on any other."""

import re

import pytest
import torch

from tests.support.facts import mentions
from vitviz import HookError, capture, edit
from vitviz.model import hooks
from vitviz.model.hooks import HookPoint, between_blocks, listen, without_hooks

PIXELS = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(5))
LENGTHS = {
    "batch": 2,
    "patch": 24,
    "token": 27,
    "query": 27,
    "key": 27,
    "D": 24,
    "head": 3,
    "channel": 8,
    "class": 5,
}


def run(model, pixels=PIXELS):
    with torch.no_grad():
        return model(pixels)


def documented():
    """Parse the table of hook points in the module docstring: name (with {i}) -> shape."""
    shapes = {}
    for names, axes in re.findall(r"^\| (`.+?) +\| (batch.+?) +\|", hooks.__doc__, re.MULTILINE):
        first, *others = re.findall(r"`(.+?)`", names)
        for name in [first, *(first.rpartition(".")[0] + other for other in others)]:
            shapes[name] = tuple(LENGTHS[axis] for axis in axes.partition(" (")[0].split())
    return shapes


VOCABULARY = {
    "embed.patches": (2, 24, 24),
    "embed.tokens": (2, 27, 24),
    "blocks.{i}.resid_pre": (2, 27, 24),
    "blocks.{i}.attn.q": (2, 3, 27, 8),
    "blocks.{i}.attn.k": (2, 3, 27, 8),
    "blocks.{i}.attn.v": (2, 3, 27, 8),
    "blocks.{i}.attn.scores": (2, 3, 27, 27),
    "blocks.{i}.attn.weights": (2, 3, 27, 27),
    "blocks.{i}.attn.z": (2, 3, 27, 8),
    "blocks.{i}.attn.out": (2, 27, 24),
    "blocks.{i}.resid_mid": (2, 27, 24),
    "blocks.{i}.mlp.out": (2, 27, 24),
    "blocks.{i}.resid_post": (2, 27, 24),
    "norm": (2, 27, 24),
    "logits": (2, 5),
}
NAMES = [name.format(i=i) for name in VOCABULARY for i in (range(3) if "{i}" in name else [0])]


# --- The vocabulary --------------------------------------------------------------------------------------------------


def test_the_documentation_has_the_whole_vocabulary(small):
    assert documented() == VOCABULARY
    assert sorted(module.name for module in small.modules() if isinstance(module, HookPoint)) == sorted(NAMES)


@pytest.mark.parametrize("name", VOCABULARY)
def test_every_hook_point_fires_with_its_shape(small, name):
    for layer in range(3):
        with capture(name.format(i=layer)) as kept:
            run(small)
        assert {name: tuple(value.shape) for name, value in kept.items()} == {name.format(i=layer): VOCABULARY[name]}


@pytest.mark.parametrize("name", NAMES)
def test_every_hook_point_can_be_edited(small, name):
    before = run(small)
    with edit({name: lambda x: x.roll(1, dims=-2 if x.ndim > 2 else -1) * 1.5}):
        changed = run(small)
    assert (changed - before).abs().max() > 1e-3
    assert torch.equal(run(small), before)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("blocks.*.attn.q", [f"blocks.{i}.attn.q" for i in range(3)]),
        ("blocks.1.*", [name for name in NAMES if name.startswith("blocks.1.")]),
        ("embed.*", ["embed.patches", "embed.tokens"]),
        ("*", NAMES),
    ],
)
def test_a_star_matches_any_run_of_characters(small, pattern, names):
    with capture(pattern) as kept:
        run(small)
    assert sorted(kept) == sorted(names)


# --- capture ---------------------------------------------------------------------------------------------------------


def test_a_later_pass_overwrites_an_earlier_one_and_nothing_is_kept_afterwards(small):
    with capture("logits") as kept:
        run(small, PIXELS[:1])
        run(small, PIXELS[1:])
    last = kept["logits"]
    run(small, 2 * PIXELS)
    assert kept["logits"] is last
    assert torch.equal(last, run(small, PIXELS[1:]))


def test_nested_captures_each_get_theirs(small):
    with capture("norm") as outer, capture("norm", "logits") as inner:
        run(small)
    assert list(outer) == ["norm"]
    assert list(inner) == ["norm", "logits"]
    assert torch.equal(outer["norm"], inner["norm"])


def test_a_capture_does_not_change_the_output(small):
    plain = run(small)
    with capture("blocks.*.resid_*", "blocks.*.attn.q"):
        assert torch.equal(run(small), plain)


@pytest.mark.parametrize("names", [("blocks.3.attn.q",), ("logits", "nonsense"), ("",), ("BLOCKS.0.*",)])
def test_a_name_that_is_never_reached_is_an_error_and_named(small, names):
    with pytest.raises(HookError) as caught, capture(*names):
        run(small)
    assert repr(names[-1]) in str(caught.value)
    assert "logits" not in str(caught.value)


def test_a_capture_around_nothing_is_an_error():
    with pytest.raises(HookError, match="'logits'"), capture("logits"):
        pass


# --- edit ------------------------------------------------------------------------------------------------------------


def without_head(head):
    def ablate(z):
        z = z.clone()
        z[:, head] = 0
        return z

    return ablate


def test_an_edit_does_what_it_says(small):
    """Ablating a head is equivalent to zeroing its columns of the output projection."""
    with edit({"blocks.1.attn.z": without_head(2)}), capture("blocks.1.attn.z", "blocks.1.attn.out") as kept:
        run(small)
    assert kept["blocks.1.attn.z"][:, 2].abs().max() == 0
    attention, scale = small.blocks[1].attn, small.blocks[1].ls1.gamma
    z = kept["blocks.1.attn.z"][:, :2].transpose(1, 2).flatten(2)
    expected = (z @ attention.proj.weight[:, :16].T + attention.proj.bias) * scale
    assert torch.allclose(kept["blocks.1.attn.out"], expected, rtol=1e-4, atol=1e-5)


def test_a_patch_hidden_from_the_keys_gets_no_weight(small):
    def hide(scores):
        scores = scores.clone()
        scores[..., 9] = -torch.inf
        return scores

    with edit({"blocks.*.attn.scores": hide}), capture("blocks.*.attn.weights") as kept:
        run(small)
    for weights in kept.values():
        assert weights[..., 9].abs().max() == 0
        assert torch.allclose(weights.sum(dim=-1), torch.ones(2, 3, 27))


def test_captures_see_edits(small):
    with capture("norm") as outer, edit({"norm": torch.zeros_like}), capture("norm") as inner:
        run(small)
    assert outer["norm"].abs().max() == inner["norm"].abs().max() == 0


def test_functions_are_called_with_edited_activations_and_change_nothing(small):
    seen, ablated = [], {"blocks.1.resid_post": lambda x: x * 0}
    with edit(ablated), listen({"blocks.*.resid_post": lambda x: seen.append(x.sum())}):
        edited = run(small)
    assert [bool(one) for one in seen] == [True, False, True]
    with edit(ablated):
        assert torch.equal(run(small), edited)
    assert len(seen) == 3


def test_listening_to_what_is_never_reached_is_an_error(small):
    with pytest.raises(HookError, match="nothing"), listen({"nothing": print}):
        run(small)


def test_edits_run_in_order_and_nest(small):
    with (
        edit({"logits": lambda x: x * 0 + 1, "log*": lambda x: x + 10}),
        edit({"logits": lambda x: x * 2}),
    ):
        assert run(small).unique().tolist() == [22]


def test_ablating_nothing_is_bit_equal(small, model):
    plain = run(small)
    with edit({"*resid*": lambda x: x, "blocks.*.attn.z": lambda z: z.clone(), "norm": lambda x: x * 1}):
        assert torch.equal(run(small), plain)
    with capture("blocks.*.attn.weights"):
        explicit = run(small)
    with edit({"blocks.*.attn.weights": lambda weights: weights, "blocks.*.attn.scores": lambda scores: scores}):
        assert torch.equal(run(small), explicit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :-1], mentions("'norm'", "(2, 26, 24)", "(2, 27, 24)")),
        (lambda x: x[..., None], mentions("'norm'", "(2, 27, 24, 1)", "(2, 27, 24)")),
        (lambda x: x.sum(), mentions("'norm'", "()", "(2, 27, 24)")),
        (lambda x: None, mentions("'norm'", "NoneType")),
    ],
)
def test_an_edit_that_changes_the_shape_is_refused(small, change, message):
    with pytest.raises(HookError, match=message), edit({"norm": change}):
        run(small)
    assert_nobody_listens(small)


def test_an_edit_that_is_never_reached_is_an_error(small):
    with pytest.raises(HookError, match=r"'blocks\.7\.attn\.z'"), edit({"blocks.7.attn.z": torch.zeros_like}):
        run(small)


# --- Nothing stays ---------------------------------------------------------------------------------------------------


def assert_nobody_listens(model):
    assert hooks._captures.get() == ()
    assert hooks._edits.get() == ()
    assert not any(module.has_listeners() for module in model.modules() if isinstance(module, HookPoint))


class MishapError(Exception):
    pass


def fail(_x):
    raise MishapError


@pytest.mark.parametrize("inside", [lambda: capture("norm", "never"), lambda: edit({"never": fail})])
def test_after_an_exception_nothing_stays_registered(small, inside):
    plain = run(small)
    with pytest.raises(MishapError), inside():  # not a HookError about the name that was not reached
        fail(run(small))
    assert_nobody_listens(small)
    assert torch.equal(run(small), plain)


def test_after_an_exception_in_a_nested_block_the_outer_ones_still_listen(small):
    with capture("logits") as outer:
        with pytest.raises(MishapError), edit({"norm": fail}), capture("norm") as inner:
            run(small)
        assert "logits" not in outer
        plain = run(small)
    assert torch.equal(outer["logits"], plain)
    assert inner == {}
    assert_nobody_listens(small)


def test_after_an_exception_in_the_model_nothing_stays_registered(small):
    with pytest.raises(Exception, match=mentions(8)), capture("blocks.*"), edit({"norm": torch.zeros_like}):
        run(small, PIXELS[..., :-1])
    assert_nobody_listens(small)


def test_the_model_keeps_no_listeners(small):
    def state():
        return [{name: id(value) for name, value in vars(module).items()} for module in small.modules()]

    def torch_hooks():
        return [hook for module in small.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)]

    before, parameters = state(), {name: value.clone() for name, value in small.state_dict().items()}
    with capture("*"), edit({"blocks.*.attn.weights": lambda x: x}):
        run(small)
        assert state() == before
        assert torch_hooks() == []
    assert state() == before
    assert list(small.state_dict()) == list(parameters)
    assert all(torch.equal(value, parameters[name]) for name, value in small.state_dict().items())


# --- Gradients -------------------------------------------------------------------------------------------------------


def test_gradients_through_captured_weights(small):
    """Compare gradients with the change of a logit when an edit changes a weight."""
    name, step = "blocks.1.attn.weights", 1e-2
    with capture(name) as kept:
        output = small(PIXELS[:1].clone().requires_grad_())
    weights = kept[name]
    (gradient,) = torch.autograd.grad(output[0, 2], weights)
    assert gradient.shape == weights.shape

    towards = torch.randn(weights.shape, generator=torch.Generator().manual_seed(6)) / weights[0].numel() ** 0.5
    ends = []
    for sign in (-1, 1):
        with edit({name: lambda x, sign=sign: x + sign * step * towards}):
            ends.append(run(small, PIXELS[:1])[0, 2].item())
    measured = (ends[1] - ends[0]) / (2 * step)
    assert measured == pytest.approx((gradient * towards).sum().item(), rel=0.02)
    assert abs(measured) > 1e-3


# --- Between blocks --------------------------------------------------------------------------------------------------


class StoppedError(BaseException):
    """A pass was stopped."""


def test_a_pass_is_stopped_before_the_block_where_a_check_says_so(small):
    left = iter([True, True, False])

    def check():
        if not next(left):
            raise StoppedError

    reached = []
    with (
        pytest.raises(StoppedError),
        between_blocks(check),
        edit({"blocks.*.resid_post": lambda x: reached.append(1) or x}),
    ):
        run(small)
    assert len(reached) == 2
    run(small)


def test_checks_are_nested_and_go_on_without_hooks(small):
    called = []
    with (
        between_blocks(lambda: called.append("outer")),
        between_blocks(lambda: called.append("inner")),
        without_hooks(),
    ):
        run(small)
    assert called == ["outer", "inner"] * 3
