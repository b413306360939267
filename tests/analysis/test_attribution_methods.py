"""Attribution methods against hand calculations on two or three tokens and against independent implementations."""

import numpy as np
import pytest
import torch
from torchcam.methods import LeGrad
from torchvision.models import VisionTransformer as TorchvisionViT

import vitviz
from tests.support import random_models as kinds
from tests.support.command_line import FOUR
from tests.support.exhaustive import exhaustive
from tests.support.explained_traces import explained
from tests.support.two_channel_models import tiny_model, tiny_trace
from vitviz import explain
from vitviz.analysis.attribution import METHODS, ClassTarget, SimilarityTarget
from vitviz.analysis.attribution import rollout as rollouts
from vitviz.analysis.attribution.baselines import baseline_pixels
from vitviz.analysis.attribution.last_attention import last_attention
from vitviz.analysis.attribution.readout_weights import readout_weights
from vitviz.analysis.attribution.rollout import rollout
from vitviz.analysis.attribution.targets import default_target, value_of
from vitviz.zoo import assets

# --- Hand calculations -----------------------------------------------------------------------------------------------


class Attention:
    """Attention weights given by the test, for a class token, one patch and one head."""

    def __init__(self, *layers, **changes):
        self.weights = np.array(layers, dtype=np.float32)  # layer head query key
        self.config = vitviz.ViTConfig(**changes)
        self.layers, self.prefix, self.grid, self.token_count = len(layers), 1, (1, 1), 2
        self.edited = False

    def attention(self, layer, head=None, query=None):
        weights = self.weights[layer]
        return weights if query is None else weights[:, query]


def test_rollout_by_hand():
    # A1 = [[0.75, 0.25], [0.4, 0.6]] and A2 = [[0.9, 0.1], [0.5, 0.5]], identity mixed in; first row of A2 A1:
    # 0.9 * 0.25 + 0.1 * 0.6 = 0.285.
    trace = Attention([[[0.5, 0.5], [0.8, 0.2]]], [[[0.8, 0.2], [1, 0]]])
    assert rollout(trace).item() == pytest.approx(0.285)


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        ("mean", 0.5 * 0.4),  # the row (0.6, 0.4)
        ("max", 0.6 / (0.8 + 0.6 + 1)),  # (0.8, 0.6); with I added it sums to 2.4
        ("min", 0.2 / (0.4 + 0.2 + 1)),  # (0.4, 0.2)
    ],
)
def test_fusion_of_heads_by_hand(fusion, expected):
    trace = Attention([[[0.8, 0.2], [0.5, 0.5]], [[0.4, 0.6], [0.5, 0.5]]])
    assert rollout(trace, head_fusion=fusion).item() == pytest.approx(expected)


def test_discarding_by_hand():
    # The smallest of four weights is 0.1, the class token's to itself, and the next 0.3, to the patch.
    trace = Attention([[[0.1, 0.3], [0.55, 0.45]]])
    assert rollout(trace, discard_ratio=0.25).item() == pytest.approx(0.3 / 1.4)  # 0.1 is exempt
    assert rollout(trace, discard_ratio=0.5).item() == 0
    without = Attention([[[0.1, 0.3], [0.55, 0.45]]], class_token=False, pooling="mean")
    without.prefix, without.grid = 0, (1, 2)
    # The mean of the rows (0 + 1, 0.3) / 1.3 and (0.55, 0.45 + 1) / 2.
    assert rollout(without, discard_ratio=0.25).tolist() == [
        pytest.approx([(1 / 1.3 + 0.275) / 2, (0.3 / 1.3 + 0.725) / 2])
    ]


def test_rollout_reads_one_row_of_the_last_layer():
    """Only the class token's row of the last layer is in the product, so the other rows need not be computed."""
    trace = Attention([[[0.5, 0.5], [0.8, 0.2]]], [[[0.8, 0.2], [np.nan, np.nan]]])
    assert rollout(trace).item() == pytest.approx(0.285)


@pytest.mark.parametrize("few", [0, 10**6], ids=["by head", "all heads"])
@pytest.mark.parametrize("kind", ["mean", "pooled", "distilled", "relative"])
def test_rollout_of_a_mean_is_the_product_of_mean_matrices(kind, few, monkeypatch):
    monkeypatch.setattr(rollouts, "FEW_TOKENS", few)
    trace = kinds.trace_of(kind)
    product = np.eye(trace.token_count)
    for layer in range(trace.layers):
        product = (trace.attention(layer).mean(axis=0) + np.eye(trace.token_count)) / 2 @ product
    expected = (readout_weights(trace).numpy() @ product)[trace.prefix :].reshape(trace.grid)
    assert rollout(trace).numpy() == pytest.approx(expected, rel=1e-4)


def test_rollout_normalises_weights_that_an_edit_made(small):
    """Edited weights do not sum to 1, unlike those of a softmax."""
    pixels = torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(2))
    with vitviz.edit({"blocks.*.attn.weights": lambda weights: 3 * weights}):
        trace = small.trace(pixels, record=("blocks.*.attn.weights",))
    product = np.eye(trace.token_count)
    for layer in range(trace.layers):
        product = (trace.attention(layer).mean(axis=0) + np.eye(trace.token_count)) / 4 @ product
    assert rollout(trace).numpy() == pytest.approx(product[0, trace.prefix :].reshape(trace.grid), rel=1e-4)


def test_attention_by_hand():
    trace = Attention([[[0.8, 0.2], [0.5, 0.5]], [[0.4, 0.6], [0.5, 0.5]]])
    assert last_attention(trace).item() == pytest.approx(0.4)
    assert last_attention(trace, head=1).item() == pytest.approx(0.6)


def test_gradient_attention_by_hand():
    # A class token (2, 0) and a patch (-9, 0). Normalised they are (1, -1) and (-1, 1) for any norm, so gradients flow
    # along the residual stream and not through norms; with a bias of 3, channel 0 of v is 4 and 2.
    model = tiny_model(1, class_token=True, depth=2, pooling="token")
    model.cls_token.data[..., 0] = 2
    for block in model.blocks:
        block.attn.qkv.bias.data[4] = 3
    # Each layer adds (4 + 2) / 2 = 3 to channel 0 and (-1 + 1) / 2 = 0 to channel 1 of both tokens.
    # In both layers dy/dA of the class token's row is v, (4, 2), and A' = v / 2 = (2, 1). The patch's row of layer 1
    # would reach y only through a norm, so its gradient is 0. R = (I + A'2)(I + A'1) has in the class token's row at
    # the patch (1 + 2) * 1 through A'1, and 1 through A'2.
    found = explain(model, tiny_trace(model, -9), target=ClassTarget(0))
    assert found.value == 2 + 3 + 3
    assert found.map.item() == pytest.approx(4)


def tiny_mean():
    """Three patches (p, 1) for p = 1, 7, -1; RMS norm makes them (1, 1), (1.4, 0.2), (-1, 1)."""
    model = tiny_model(3, class_token=False, depth=1, pooling="mean", norm="rms")
    model.patch_embed.proj.bias.data[1] = 1
    return model, tiny_trace(model, 1, 7, -1)


def test_legrad_by_hand():
    # y is the mean of the patches' channel 0, so dy/dA is v / 3 in every row: 1, 1.4 and -1, which is clipped to 0.
    model, trace = tiny_mean()
    assert explain(model, trace, method="legrad", target=ClassTarget(0)).map == pytest.approx(
        np.array([[1, 1.4, 0]]) / 1.4
    )


def test_gradient_attention_of_a_mean_by_hand():
    # A' is v / 3 * 1 / 3 in every row, without the negative one, and so is the mean of the rows.
    model, trace = tiny_mean()
    assert explain(model, trace, target=ClassTarget(0)).map == pytest.approx(np.array([[1, 1.4, 0]]) / 9)


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients"])
def test_a_model_that_adds_by_hand(method):
    # Each patch adds (p + v) / 3 to y, independently of the others; the baseline is the mean pixel, 7 / 3.
    def adds(p):
        return (p + p / np.sqrt((p * p + 1) / 2)) / 3

    model, trace = tiny_mean()
    found = explain(model, trace, method=method, target=ClassTarget(0), baseline="mean")
    assert found.map[0] == pytest.approx([adds(p) - adds(7 / 3) for p in (1, 7, -1)], rel=1e-3)
    assert found.value == pytest.approx(sum(map(adds, (1, 7, -1))))


def test_wide_covers_by_hand():
    # Both rows are equal, so each patch counts half as much. The drop of a window is the sum over its patches; the
    # middle column gets the mean of both windows.
    model, trace = tiny_mean()
    single = explain(model, trace, method="occlusion", target=ClassTarget(0)).map[0]
    two_rows = model.trace(torch.tensor([[1.0, 7, -1], [1, 7, -1]])[None])
    wide = explain(model, two_rows, method="occlusion", target=ClassTarget(0), window=2).map
    left, right = single[0] + single[1], single[1] + single[2]
    assert wide == pytest.approx(np.array([[left, (left + right) / 2, right]] * 2), rel=1e-4)


def test_covers_that_do_not_overlap_take_a_pass_each_and_the_last_ends_with_the_image():
    model = tiny_model(4, class_token=False, depth=1, pooling="mean")
    trace = model.trace(torch.tensor([[1.0, 7, -1, 3, 2]] * 5)[None])
    counted = []

    def covered(**parameters) -> np.ndarray:
        progress = lambda done, total: counted.append(total)  # noqa: E731
        target = ClassTarget(0)
        return explain(model, trace, method="occlusion", target=target, progress=progress, **parameters).map

    coarse, fine = covered(window=2, stride=2), covered(window=2)
    assert set(counted) == {9, 16}
    assert (coarse[:2, :2] == coarse[0, 0]).all()
    assert coarse[0, 0] == pytest.approx(fine[0, 0], abs=1e-6), "the same cover hides the corner"
    assert coarse[0, 3] == pytest.approx((coarse[0, 2] + coarse[0, 4]) / 2, abs=1e-6), "two covers hide it"
    with pytest.raises(vitviz.VitvizError, match="stride"):
        covered(window=2, stride=3)


def test_integrated_gradients_take_no_more_steps_than_completeness_asks_for():
    model, target = vitviz.load("digits"), ClassTarget(4)
    trace = model.trace(FOUR)
    with torch.no_grad():
        start = float(target(model(baseline_pixels(trace, "mean")[None]))[0])
    counted, missed = [], []
    for completeness in (0.01, 0.2, None):
        taken = []
        found = explain(
            model,
            trace,
            method="integrated_gradients",
            target=target,
            baseline="mean",
            steps=8,
            completeness=completeness,
            progress=lambda done, total, taken=taken: taken.append(done),
        )
        counted.append(taken[-1])
        missed.append(abs(float(found.map.sum()) / (found.value - start) - 1))
    assert counted[0] > counted[1] > counted[2] == 8
    assert missed[0] <= 0.01
    assert missed[1] <= 0.2 < missed[2]


# --- Independent implementations, on the shipped model ---------------------------------------------------------------


@pytest.fixture(scope="module")
def naive(twin, trace):
    """Return attention weights and outputs of all layers of a timm model, in one graph."""
    weights, leaving = [], []
    hooks = [block.attn.attn_drop.register_forward_hook(lambda _m, _i, x: weights.append(x)) for block in twin.blocks]
    hooks += [block.register_forward_hook(lambda _m, _i, x: leaving.append(x)) for block in twin.blocks]
    pixels = torch.tensor(trace.pixels())[None].requires_grad_()
    twin(pixels)
    for hook in hooks:
        hook.remove()
    return weights, leaving


@pytest.fixture(scope="module")
def flower(model):
    return SimilarityTarget.of([model.trace(assets() / "images" / "flower.jpg")], "the flower")


def cosine(feature, target):
    return torch.nn.functional.cosine_similarity(feature, torch.tensor(target.feature)[None]).sum()


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("ratio", [0, 0.9])
def test_rollout_from_explicit_matrices(fusion, ratio, model, trace, naive):
    product = np.eye(trace.token_count)
    for weights in naive[0]:
        fused = getattr(weights[0].detach().numpy().astype(np.float64), fusion)(axis=0)
        smallest = np.argsort(fused, axis=None, kind="stable")[: int(fused.size * ratio)]
        fused.flat[[place for place in smallest if place % trace.token_count]] = 0
        mixed = 0.5 * fused + 0.5 * np.eye(trace.token_count)
        product = mixed / mixed.sum(axis=1, keepdims=True) @ product
    found = explain(model, trace, method="rollout", head_fusion=fusion, discard_ratio=ratio).map
    assert found == pytest.approx(product[0, 1:].reshape(16, 16), rel=2e-3, abs=1e-7)


def test_gradient_attention_from_explicit_matrices(model, twin, trace, naive, flower):
    weights, leaving = naive
    gradients = torch.autograd.grad(cosine(twin.norm(leaving[-1])[:, 0], flower), weights, retain_graph=True)
    relevance = np.eye(trace.token_count)
    for a, gradient in zip(weights, gradients, strict=True):
        relevance = relevance + (gradient * a)[0].clamp(min=0).mean(dim=0).detach().numpy() @ relevance
    found = explain(model, trace, target=flower).map
    assert found == pytest.approx(relevance[0, 1:].reshape(16, 16), rel=1e-3, abs=1e-4 * relevance[0, 1:].max())


@pytest.mark.parametrize("tokens", ["mean", "pooling"])
def test_legrad_from_explicit_matrices(tokens, model, twin, trace, naive, flower):
    total = 0
    for a, y in zip(*naive, strict=True):
        read = y.mean(dim=1, keepdim=True) if tokens == "mean" else y
        (gradient,) = torch.autograd.grad(cosine(twin.norm(read)[:, 0], flower), a, retain_graph=True)
        total = total + gradient[0].clamp(min=0).mean(dim=(0, 1))[1:].reshape(16, 16)
    expected = ((total - total.min()) / (total.max() - total.min())).numpy()
    assert explain(model, trace, method="legrad", target=flower, tokens=tokens).map == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("tokens", ["mean", "pooling"])
def test_legrad_is_that_of_torch_cam(tokens, tmp_path):
    theirs = TorchvisionViT(
        image_size=64, patch_size=16, num_layers=3, num_heads=3, hidden_dim=192, mlp_dim=300, num_classes=5
    ).eval()
    random = torch.Generator().manual_seed(1)
    for parameter in theirs.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 5
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours, pixels = vitviz.load(tmp_path / "theirs.pth"), torch.randn(3, 64, 64, generator=random)
    own = {"score_projection": lambda y: theirs.heads(theirs.encoder.ln(y)[:, 0])} if tokens == "pooling" else {}
    with LeGrad(theirs, list(theirs.encoder.layers), **own) as cam:
        scores = theirs(pixels[None])
        expected = cam(2, scores)[0][0].numpy()
    found = explain(ours, pixels, method="legrad", target=ClassTarget(2), tokens=tokens)
    assert found.value == pytest.approx(scores[0, 2].item(), rel=1e-4)
    assert found.map == pytest.approx(expected, abs=1e-3)
    assert np.ptp(explain(ours, pixels, method="legrad", target=ClassTarget(3), tokens=tokens).map - expected) > 0.1


def test_occlusion_pixel_by_pixel(small, small_trace):
    found = explain(small, small_trace, method="occlusion", target=ClassTarget(1), baseline="mean")
    for row, column in ((0, 0), (1, 4), (3, 5)):
        pixels = torch.tensor(small_trace.pixels())
        colour = pixels.mean(dim=(1, 2))
        pixels[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = colour[:, None, None]
        drop = small_trace.output[1] - small(pixels[None])[0, 1].item()
        assert found.map[row, column] == pytest.approx(drop, abs=1e-5)


# --- Invariants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", ["blur", "mean"])
@pytest.mark.parametrize("kind", ["digits", "norm first", "attention pooling", "registers", "stem", "relative"])
def test_integrated_gradients_are_complete(kind, baseline):
    trace = explained(kind)
    target = default_target(trace)
    with torch.no_grad():
        start = float(target(trace.model(baseline_pixels(trace, baseline)[None]))[0])
    found = explain(trace.model, trace, method="integrated_gradients", baseline=baseline)
    assert found.map.sum() == pytest.approx(value_of(target, trace) - start, rel=0.01)


@pytest.mark.parametrize(("size", "baseline"), [exhaustive(98, "mean"), exhaustive(224, "blur")])
def test_integrated_gradients_of_the_shipped_model_are_complete(size, baseline, model, photo, flower):
    trace = model.trace(photo, size=size)
    with torch.no_grad():
        start = float(flower(model(baseline_pixels(trace, baseline)[None]))[0])
    found = explain(model, trace, method="integrated_gradients", baseline=baseline, target=flower)
    assert found.map.sum() == pytest.approx(found.value - start, rel=0.01)


@pytest.mark.parametrize("kind", sorted(kinds.CONFIGS))
def test_what_the_output_is_read_from(kind):
    trace = kinds.trace_of(kind)
    counts = readout_weights(trace)
    model, tokens = trace.model, torch.tensor(trace.activation("norm"))[None].requires_grad_()
    (gradient,) = torch.autograd.grad(model.readout(tokens).square().sum(), tokens)
    assert counts.sum().item() == pytest.approx(1)
    assert torch.equal(counts > 0, gradient[0].abs().sum(dim=-1) > 0)


def test_shares_of_a_rollout_sum_to_one_without_prefix_tokens():
    for kind in ("mean", "pooled"):
        trace = kinds.trace_of(kind)
        assert explain(trace.model, trace, method="rollout").map.sum() == pytest.approx(1, rel=1e-5)


def test_last_attention_of_layers_and_poolings():
    trace = kinds.trace_of("pooled")
    pooled = explain(trace.model, trace, method="attention").map
    assert pooled == pytest.approx(trace.heatmap("pool").mean(axis=0), rel=1e-6)
    assert np.array_equal(explain(trace.model, trace, method="attention", layer="pool").map, pooled)
    plain = kinds.trace_of("mean")
    rows = plain.attention(1, head=2).mean(axis=0).reshape(plain.grid)
    assert explain(plain.model, plain, method="attention", layer=1, head=2).map == pytest.approx(rows, rel=1e-5)
    token = kinds.trace_of("relative")
    assert np.array_equal(explain(token.model, token, method="attention", head=-1).map, token.heatmap(2, 2, query=0))


def test_turning_the_target_round_turns_signed_maps_round(small, small_trace):
    class Against(ClassTarget):
        def __call__(self, output):
            return -super().__call__(output)

    for method in tuple(METHODS)[4:]:
        found, turned = (
            explain(small, small_trace, method=method, target=kind(1)).map for kind in (ClassTarget, Against)
        )
        assert turned == pytest.approx(-found, abs=1e-4)
