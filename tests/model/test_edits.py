"""vitviz.analysis.ablation: an ablated part has no effect anywhere, and everything else is unchanged."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import vitviz
from tests.support import random_models as kinds
from tests.support.edited_traces import KINDS, again, trace_of_kind
from vitviz import HookError, edit
from vitviz.analysis.ablation.edit_tools import patch_edit
from vitviz.analysis.attention import log_sums, received_weights
from vitviz.errors import EditError
from vitviz.model.applied_edits import edit_hooks
from vitviz.model.edits import (
    ActivationCopy,
    ActivationPatch,
    HeadAblation,
    KeyMask,
    PatchAblation,
    SublayerAblation,
    Temperature,
    checked,
    with_activations_from,
)


@pytest.fixture(params=KINDS)
def seen(request, monkeypatch):
    return trace_of_kind(request.param, monkeypatch)


def alike(a, b, tolerance=1e-4):
    return np.allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(b).max())))


# --- By hand ---------------------------------------------------------------------------------------------------------

# One layer, one head, two patches and nothing before them; all maps are the identity, so that a token is its own query,
# key and value, and the model returns the mean of x + attention(x).
TINY = vitviz.ViTConfig(
    image_size=(1, 2),
    patch_size=1,
    in_chans=2,
    embed_dim=2,
    depth=1,
    num_heads=1,
    head_dim=2,
    mlp_dim=1,
    class_token=False,
    pooling="mean",
    final_norm=False,
    norm="rms",
    norm_eps=0.0,
)
A, B = np.array([1.0, 1.0]), np.array([-1.0, 1.0])  # root mean square 1, so that the norm does not change them


@pytest.fixture(scope="module")
def tiny():
    model = vitviz.VisionTransformer(TINY, "tiny")
    for parameter in model.parameters():
        parameter.data.zero_()
    eye = torch.eye(2)
    model.patch_embed.proj.weight.data = eye[:, :, None, None].clone()
    model.blocks[0].norm1.weight.data.fill_(1)
    model.blocks[0].norm2.weight.data.fill_(1)
    model.blocks[0].ls1.gamma.data.fill_(1)
    model.blocks[0].attn.qkv.weight.data = torch.cat([eye, eye, eye])
    model.blocks[0].attn.proj.weight.data = eye.clone()
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def two():
    """The image of two pixels: A and B, [channel, 1, 2]."""
    return torch.tensor(np.stack([A, B], axis=1)[:, None, :], dtype=torch.float32)


def test_two_tokens_by_hand(tiny, two):
    """Scores are 2/sqrt 2 of each with itself and 0 with the other; the mean of the tokens is (0, 1)."""
    look = np.exp(np.sqrt(2)) / (np.exp(np.sqrt(2)) + 1)
    plain = tiny.trace(two)
    assert plain.attention(0, 0) == pytest.approx(np.array([[look, 1 - look], [1 - look, look]]), abs=1e-6)
    assert plain.output == pytest.approx([0, 2], abs=1e-6)  # A + B over 2, twice

    zero = tiny.trace(two, edits=[HeadAblation(0, 0)])
    assert zero.output == pytest.approx((A + B) / 2, abs=1e-6)
    mean = tiny.trace(two, edits=[HeadAblation(0, 0, "mean")])
    assert mean.tokens(0) == pytest.approx(np.stack([A, B]) + (A + B) / 2, abs=1e-6)

    hot = tiny.trace(two, edits=[Temperature(0, 0, 2)])
    half = np.exp(np.sqrt(2) / 2) / (np.exp(np.sqrt(2) / 2) + 1)
    assert hot.attention(0, 0) == pytest.approx(np.array([[half, 1 - half], [1 - half, half]]), abs=1e-6)
    assert hot.tokens(0)[0] == pytest.approx(A + half * A + (1 - half) * B, abs=1e-6)

    off = tiny.trace(two, edits=[KeyMask(1)])
    assert off.attention(0, 0).tolist() == [[1, 0], [1, 0]]
    assert off.output == pytest.approx(2 * A, abs=1e-6), "the mean reads what is left: A + A"
    assert off.tokens(0)[1] == pytest.approx(B + A, abs=1e-6)

    averaged = tiny.trace(two, edits=[PatchAblation(1)])
    assert averaged.activation("embed.patches") == pytest.approx(np.stack([A, (A + B) / 2]), abs=1e-6)

    patched = tiny.trace(two, edits=[ActivationPatch(0, 0, "attention", np.array([[5.0, 0], [0, 7]]))])
    assert patched.output == pytest.approx((A + B) / 2 + [2.5, 3.5], abs=1e-6)


# --- Nothing, and all ------------------------------------------------------------------------------------------------


def test_editing_nothing_is_bit_equal(seen):
    for edits in ((), [Temperature(0, 1, 1.0)]):
        plain, edited = again(seen), again(seen, *edits)
        assert np.array_equal(plain.output, edited.output)
        assert np.array_equal(plain.attention(1), edited.attention(1))
        assert np.array_equal(plain.tokens(1), edited.tokens(1))


def test_a_layer_without_attention_is_a_block_without_that_half(seen):
    off = again(seen, SublayerAblation(1), record="blocks.1.*")
    if seen.config.block != "parallel":
        assert np.array_equal(off.activation("blocks.1.resid_mid"), off.activation("blocks.1.resid_pre"))
    assert np.abs(off.activation("blocks.1.attn.out")).max() == 0
    off = again(seen, SublayerAblation(1, "mlp"), record="blocks.1.*")
    assert np.array_equal(off.activation("blocks.1.resid_post"), off.activation("blocks.1.resid_mid"))
    mean = again(seen, SublayerAblation(1, "attention", "mean"), record="blocks.1.*").activation("blocks.1.attn.out")
    plain = seen.activation("blocks.1.attn.out")
    assert alike(mean, np.broadcast_to(plain.mean(axis=0), plain.shape))


def test_all_heads_off_is_no_attention_but_for_the_bias(seen):
    """Only the bias of the output projection is added to each token."""
    off = again(seen, *(HeadAblation(1, head) for head in range(seen.heads)), record="blocks.1.*")
    block = seen.model.blocks[1]
    zeros = torch.zeros(1, 1, seen.config.num_heads * seen.config.head_dim)
    with torch.no_grad():
        constant = block.attn.proj(block.attn.norm(zeros))
        constant = block.ls1(block.norm1(constant) if seen.config.block == "post" else constant)[0, 0].numpy()
    added = off.activation("blocks.1.attn.out")
    assert alike(added, np.broadcast_to(constant, added.shape), 1e-6)
    shifted = edit({"blocks.1.attn.out": lambda x: torch.zeros_like(x) + torch.tensor(constant)})
    with shifted:
        skipped = again(seen)
    assert alike(off.output, skipped.output)


# --- Heads -----------------------------------------------------------------------------------------------------------


def test_a_head_that_is_off(seen):
    z = seen.activation("blocks.1.attn.z")
    for how in ("zero", "mean"):
        off = again(seen, HeadAblation(1, 2 % seen.heads, how), record="blocks.1.attn.z").activation("blocks.1.attn.z")
        for head in range(seen.heads):
            expected = z[head]
            if head == 2 % seen.heads:
                expected = np.zeros_like(expected) if how == "zero" else expected.mean(axis=0, keepdims=True)
            assert alike(off[head], np.broadcast_to(expected, z[head].shape))


def test_an_edit_changes_what_comes_after_it_and_nothing_before(seen):
    off = again(seen, HeadAblation(1, 0))
    assert alike(off.tokens(0), seen.tokens(0))
    assert np.array_equal(off.queries(1), again(seen).queries(1))
    assert not alike(off.tokens(1), seen.tokens(1))
    assert not alike(off.output, seen.output)


# --- Attention of an edited pass -------------------------------------------------------------------------------------

EDITS = [
    lambda first: KeyMask(first + 1),
    lambda first: KeyMask(first + 3),
    lambda first: PatchAblation(first + 5),
    lambda first: Temperature(0, 1, 0.5),
    lambda first: Temperature(1, 0, 3),
    lambda first: HeadAblation(0, 0, "mean"),
    lambda first: SublayerAblation(1, "mlp"),
]


def test_attention_is_what_the_edited_pass_weighed_with(seen):
    edits = [make(seen.prefix) for make in EDITS]
    with torch.no_grad(), edit(edit_hooks(edits, seen.config, seen.grid)), vitviz.capture("*.weights") as kept:
        output = seen.model(seen._pixels()[None])[0].numpy()
    edited = again(seen, *edits)
    assert alike(edited.output, output)
    for layer in range(seen.layers):
        weights = kept[f"blocks.{layer}.attn.weights"][0].numpy()
        assert alike(edited.attention(layer), weights)
        assert alike(edited.attention(layer, 1), weights[1])
        assert alike(edited.attention(layer, 1, 2), weights[1, 2])
        assert alike(edited.attention(layer, query=4), weights[:, 4])
        sums = log_sums(edited)
        for token in (seen.prefix + 1, seen.prefix + 2):
            assert alike(received_weights(edited, layer, token, sums), weights[..., token])
    if seen.config.pooling == "attention":
        first = 0 if seen.config.pool_include_prefix else seen.prefix
        assert alike(edited.attention("pool")[..., first:], kept["pool.weights"][0].numpy())


def test_tokens_of_an_edited_pass_are_computed_again_under_its_edits(seen):
    edits = [make(seen.prefix) for make in EDITS]
    recorded, plain = again(seen, *edits, record="blocks.*.resid_post"), again(seen, *edits)
    for layer in range(seen.layers):
        assert alike(plain.tokens(layer), recorded.tokens(layer))
    with edit({"blocks.1.mlp.out": torch.zeros_like}):
        under = again(seen, *edits)
    with pytest.raises(HookError, match="record="):
        under.tokens(0)


def test_a_patch_that_is_off_has_no_weight_at_all(seen):
    off = [seen.prefix, seen.prefix + 4]
    edited = again(seen, *map(KeyMask, off))
    for layer in range(seen.layers):
        weights = edited.attention(layer)
        assert (weights[..., off] == 0).all()
        assert weights.sum(axis=-1) == pytest.approx(edited.row_sum(layer), abs=1e-5)
        assert (edited.scores(layer)[..., off] == -np.inf).all()
    if seen.config.pooling == "attention":
        assert (edited.attention("pool")[..., off] == 0).all()
        assert edited.attention("pool").sum(axis=-1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("how", ["keys", "mean"])
def test_a_patch_that_is_off_is_not_in_the_output(seen, how):
    """A masked patch has no effect, for any pixels; an ablated one only through the mean, which is kept here."""
    side, pixels = seen.config.patch_size, seen._pixels()
    if seen.config.stem:
        pytest.skip("a stem has mixed the pixels of neighbours before there are patches")
    other = pixels.clone()
    if how == "keys":
        other[:, :side, side : 2 * side] = 3
    else:  # two ablated patches swap positions
        other[:, :side, side : 2 * side], other[:, :side, :side] = (
            pixels[:, :side, :side],
            pixels[:, :side, side : 2 * side],
        )
    edits = [patch_edit(how, seen.prefix + place) for place in (0, 1)]
    one, two = (seen.model.trace(image, edits=edits) for image in (pixels, other))
    assert alike(one.output, two.output)
    assert not alike(again(seen).output, seen.model.trace(other).output)


@pytest.mark.parametrize("kind", ["relative", "differential"])
def test_temperature_divides_all_of_the_scores(kind):
    seen = kinds.trace_of(kind)
    hot = again(seen, Temperature(0, 1, 4))
    assert alike(hot.scores(0)[1], seen.scores(0)[1] / 4)
    assert np.array_equal(hot.scores(0)[0], seen.scores(0)[0])
    assert not alike(hot.output, seen.output)


# --- Copies ----------------------------------------------------------------------------------------------------------


def test_what_is_copied_is_the_other_images(seen):
    other = seen.model.trace(torch.flip(seen._pixels(), [2]))
    wishes = [ActivationCopy(0, 1), ActivationCopy(1, None, "mlp"), ActivationCopy(1)]
    edits = with_activations_from([*wishes, HeadAblation(0, 0)], other.activations(*(one.hook for one in wishes)))
    assert edits[3] == HeadAblation(0, 0)
    patched = again(seen, *edits, record=tuple(one.hook for one in wishes))
    for one in wishes:
        found, wanted = patched.activation(one.hook), other.activation(one.hook)
        assert np.array_equal(found if one.head is None else found[one.head], wanted if one.head is None else wanted[1])
    with pytest.raises(EditError, match="with_activations_from"):
        again(seen, *wishes)


def test_copying_everything_makes_the_other_images_output_but_for_its_embedding():
    """With both sublayers of each block copied, all additions to the residual stream are the other image's."""
    seen = kinds.trace_of("relative")
    other = seen.model.trace(torch.flip(seen._pixels(), [1]))
    wishes = [ActivationCopy(layer, None, part) for layer in range(3) for part in ("attention", "mlp")]
    edits = with_activations_from(wishes, other.activations(*(one.hook for one in wishes)))
    patched = again(seen, *edits)
    expected = seen.activation("embed.tokens") - other.activation("embed.tokens") + other.tokens(2)
    assert alike(patched.tokens(2), expected)
    assert alike(patched.output, other.output), "the class token begins alike in both"


def test_patched_values_are_compared_by_content():
    values = np.ones((2, 3))
    one, same, other = (ActivationPatch(0, 0, "attention", v) for v in (values, values.copy(), 2 * values))
    assert one == same != other
    assert hash(one) == hash(same)
    values[:] = 5
    assert one.values.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        one.values[:] = 0


# --- What cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: [HeadAblation(3, 0)], "a layer.*from 0 to 2, not 3"),
        (lambda: [HeadAblation(0, 3)], "a head.*from 0 to 2, not 3"),
        (lambda: [HeadAblation(-1, 0)], "from 0 to 2, not -1"),
        (lambda: [SublayerAblation("1")], "not '1'"),
        (lambda: [HeadAblation(0, None)], "a whole number, not None"),
        (lambda: [HeadAblation(0, [1])], r"a whole number, not a list"),
        (lambda: [HeadAblation(True, 0)], "a whole number, not True"),
        (lambda: [KeyMask(True)], "a whole number, not True"),
        (lambda: [Temperature(0, None, 2.0)], "a whole number, not None"),
        (lambda: [Temperature(0, 0, "a")], "not 'a'"),
        (lambda: [Temperature(0, 0, None)], "not None"),
        (lambda: [Temperature(0, 0, 10**400)], "from 0.01 to 100"),
        (lambda: [KeyMask(0)], "patch.*from 1 to 24, not 0"),
        (lambda: [KeyMask(25)], "not 25"),
        (lambda: [Temperature(0, 9, 2)], "a head.*from 0 to 2"),
        (lambda: [HeadAblation(0, 0), HeadAblation(0, 0, "mean")], "two edits of the same head"),
        (lambda: [HeadAblation(0, 0), ActivationCopy(0, 0)], "two edits of the same head"),
        (lambda: [SublayerAblation(0, "mlp"), SublayerAblation(0, "mlp", "mean")], "two edits of the same sublayer"),
        (lambda: [KeyMask(token) for token in range(1, 25)], "at least one"),
        (lambda: [ActivationPatch(0, 0, "attention", np.zeros((25, 9)))], r"\[25, 8\] .* not \[25, 9\]"),
        (lambda: ["h1.1z"], "is not an edit"),
        (lambda: [HeadAblation(0, 0, "off")], "'off'.*zero, mean"),
        (lambda: [SublayerAblation(0, "norm")], "'norm'.*attention, mlp"),
        (lambda: [patch_edit("zero", 3)], "'zero'.*keys, mean"),
        (lambda: [Temperature(0, 0, 0)], "from 0.01 to 100, not 0"),
        (lambda: [Temperature(0, 0, float("nan"))], "not nan"),
        (lambda: [ActivationCopy(0, 1, "mlp")], "sublayer"),
        (lambda: [ActivationPatch(0, None, "mlp", [[np.inf]])], "finite numbers"),
    ],
)
def test_what_a_model_has_not_is_refused_in_one_sentence(make, message):
    seen = kinds.trace_of("relative")
    with pytest.raises(EditError, match=message):
        again(seen, *make())


@pytest.mark.parametrize("edits", [None, HeadAblation(0, 0), 3])
def test_edits_come_in_a_list(edits):
    seen = kinds.trace_of("relative")
    with pytest.raises(EditError, match="list"):
        seen.model.trace(seen._pixels(), edits=edits)


def test_numbers_of_numpy_are_numbers():
    assert checked([HeadAblation(np.int64(1), np.int64(2))], kinds.PLAIN, (4, 6)) == (HeadAblation(1, 2),)


# --- Threads ---------------------------------------------------------------------------------------------------------


def test_eight_threads_with_different_edits_see_what_they_would_see_alone(model):
    image = torch.randn(3, 56, 56, generator=torch.Generator().manual_seed(7))
    edits = [
        [HeadAblation(2, 1)],
        [HeadAblation(2, 1, "mean"), Temperature(5, 0, 0.3)],
        [SublayerAblation(8, "mlp")],
        [SublayerAblation(3, "attention", "mean")],
        [KeyMask(4), KeyMask(9)],
        [PatchAblation(4)],
        [Temperature(11, 5, 7)],
        [],
    ]
    parameters = {name: (id(value), value.requires_grad) for name, value in model.named_parameters()}
    begin = threading.Barrier(8)

    def look(i):
        seen = model.trace(image, edits=edits[i])
        return [seen.output, seen.attention(11), seen.tokens(6)]

    alone = [look(i) for i in range(8)]
    assert all(np.abs(alone[i][0] - alone[j][0]).max() > 1e-2 for i in range(8) for j in range(i))

    def look_often(i):
        begin.wait()
        found = [look(i) for _ in range(6)]
        return all(np.allclose(a, b, rtol=1e-3, atol=1e-3) for one in found for a, b in zip(one, alone[i], strict=True))

    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(look_often, range(8)))
    finally:
        sys.setswitchinterval(patience)
    assert {name: (id(value), value.requires_grad) for name, value in model.named_parameters()} == parameters
    assert all(parameter.grad is None for parameter in model.parameters())
