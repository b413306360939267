"""vitviz.model.vit: the same numbers as timm; unsupported configurations are refused."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch

import vitviz
from tests.conftest import SMALL
from tests.support.facts import mentions
from vitviz import ModelError, VisionTransformer, ViTConfig, capture
from vitviz.images import normalise, prepare, read_image
from vitviz.model.config import RoPE
from vitviz.model.position_embeddings import RelativeBias, RotaryEmbedding, rotate
from vitviz.model.vit import Attention, DifferentialAttention, PatchEmbed

# --- Parity with timm ------------------------------------------------------------------------------------------------


def pixels_of(photo, height, width):
    """A rectangle of a photograph as a model's input, [3, height, width]."""
    size = max(height, width)
    return torch.from_numpy(normalise(prepare(read_image(photo), size, 14).pixels)[:, :height, :width].copy())


def timms_weights(twin, pixels, queries):
    """timm's features [token, D] and, for some queries, the weights of all layers [layer, head, query, key]."""
    rows = []

    def keep(_module, inputs):
        rows.append(inputs[0][0, :, queries].clone())

    hooks = [block.attn.attn_drop.register_forward_pre_hook(keep) for block in twin.blocks]
    try:
        with torch.no_grad():
            return twin.forward_features(pixels[None])[0].numpy(), torch.stack(rows).numpy()
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize(("height", "width"), [(224, 224), (518, 518), (224, 336)])
def test_the_shipped_model_computes_what_timm_computes(model, twin, photo, height, width):
    pixels = pixels_of(photo, height, width)
    tokens = 1 + height * width // 14**2
    queries = [0, 1, tokens // 2, tokens - 1]
    features, weights = timms_weights(twin, pixels, queries)
    trace = model.trace(pixels, record=("norm",))

    assert trace.grid == (height // 14, width // 14)
    assert np.abs(trace.activation("norm") - features).max() <= 1e-4 * np.abs(features).max()
    assert np.abs(trace.output - features[0]).max() <= 1e-4 * np.abs(features[0]).max()
    ours = np.stack([[trace.attention(layer, query=query) for query in queries] for layer in range(12)])
    assert np.abs(ours.swapaxes(1, 2) - weights).max() <= 1e-5
    assert weights.max() > 0.5  # not all weights are near zero


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 32), (64, 24)])
def test_a_model_with_registers_and_classes_computes_what_timm_computes(small, height, width):
    from timm.models import vision_transformer as timm

    theirs = timm.VisionTransformer(
        img_size=SMALL.image_size,
        patch_size=8,
        num_classes=5,
        embed_dim=24,
        depth=3,
        num_heads=3,
        mlp_ratio=2,
        reg_tokens=2,
        init_values=1,
        dynamic_img_size=True,
    ).eval()
    theirs.load_state_dict(small.state_dict())
    pixels = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = theirs(pixels)
        assert torch.allclose(small(pixels), expected, rtol=1e-4, atol=1e-5)
    assert expected.shape == (2, 5)
    assert (expected[0] - expected[1]).abs().max() > 0.1


def test_a_batch_is_its_images(small):
    pixels = torch.randn(3, 3, 32, 48, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.allclose(small(pixels), torch.cat([small(image[None]) for image in pixels]), rtol=1e-4, atol=1e-5)


# --- The residual stream and the two paths of attention --------------------------------------------------------------


def test_the_residual_stream_is_the_sum_of_its_parts(model, photo):
    with torch.no_grad(), capture("embed.tokens", "blocks.*.resid_*", "blocks.*.out", "norm", "logits") as kept:
        model(pixels_of(photo, 224, 224)[None])
    stream = kept["embed.tokens"]
    for block in (f"blocks.{layer}" for layer in range(12)):
        assert torch.equal(kept[f"{block}.resid_pre"], stream)
        assert torch.equal(kept[f"{block}.resid_mid"], stream + kept[f"{block}.attn.out"])
        assert torch.equal(kept[f"{block}.resid_post"], stream + kept[f"{block}.attn.out"] + kept[f"{block}.mlp.out"])
        assert kept[f"{block}.attn.out"].abs().max() > 0.01
        assert kept[f"{block}.mlp.out"].abs().max() > 0.01
        stream = kept[f"{block}.resid_post"]
    assert torch.equal(kept["norm"], model.norm(stream))
    assert torch.equal(kept["logits"], kept["norm"][:, 0])


def test_the_explicit_path_equals_the_fused_one(model, photo):
    pixels = pixels_of(photo, 224, 224)[None]
    with torch.no_grad():
        with capture("blocks.*.attn.z") as fused:
            feature = model(pixels)
        with capture("blocks.*.attn.z", "blocks.*.attn.weights", "blocks.*.attn.scores") as explicit:
            explicit_feature = model(pixels)
    assert torch.allclose(explicit_feature, feature, rtol=1e-4, atol=1e-4)
    for name, z in fused.items():
        assert torch.allclose(explicit[name], z, rtol=1e-4, atol=1e-4), name
    for layer in range(12):
        scores, weights = (explicit[f"blocks.{layer}.attn.{part}"] for part in ("scores", "weights"))
        assert torch.allclose(weights, scores.softmax(dim=-1), atol=1e-7)


@pytest.mark.parametrize(
    ("names", "fused_blocks"),
    [
        (("logits",), 12),
        (("blocks.*.attn.q", "blocks.*.attn.z"), 12),
        (("blocks.3.attn.weights",), 11),
        (("blocks.3.attn.weights", "blocks.3.attn.scores", "blocks.5.attn.scores"), 10),
        (("blocks.*",), 0),
    ],
)
def test_only_who_listens_to_weights_pays_for_them(model, monkeypatch, names, fused_blocks):
    calls = []
    fused = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        vitviz.model.vit.F,
        "scaled_dot_product_attention",
        lambda *args, **more: calls.append(1) or fused(*args, **more),
    )
    with torch.no_grad(), capture(*names):
        model(torch.zeros(1, 3, 28, 28))
    assert len(calls) == fused_blocks


def test_attention_by_hand():
    """Two tokens [1, 0] and [0, 1], so that column t of a weight matrix is the projection of token t."""
    config = ViTConfig(embed_dim=2, num_heads=2, head_dim=4)
    attention = Attention(config, "attn")
    ln3 = math.log(3)
    # Scores are q k / sqrt(4). Head 0: token 0 scores (0, ln 3), token 1 (0, 0). Head 1: both (ln 3, 0).
    q = [[2, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [1, 1]]
    k = [[0, ln3], [5, 5], [0, 0], [0, 0], [0, 0], [7, 7], [0, 0], [2 * ln3, 0]]
    v = [[4, 8], [0, 1], [0, 0], [-4, 4], [100, 200], [0, 0], [0, 0], [1, 1]]
    proj = [[1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0.01, 0, 0, 0]]
    attention.load_state_dict(
        {
            "qkv.weight": torch.tensor(q + k + v, dtype=torch.float32),
            "qkv.bias": torch.zeros(24),
            "proj.weight": torch.tensor(proj, dtype=torch.float32),
            "proj.bias": torch.tensor([0.5, -0.5]),
        }
    )
    weights = torch.tensor([[[1 / 4, 3 / 4], [1 / 2, 1 / 2]], [[3 / 4, 1 / 4], [3 / 4, 1 / 4]]])
    z = torch.tensor([[[7, 0.75, 0, 2], [6, 0.5, 0, 0]], [[125, 0, 0, 1], [125, 0, 0, 1]]])
    out = torch.tensor([[7.5, 1.5], [6.5, 1.25]])  # the first two channels of head 0, 1.25 from head 1, and the bias

    tokens = torch.eye(2)[None]
    with torch.no_grad():
        with capture("attn.z") as fused:
            assert torch.allclose(attention(tokens, (1, 2), None)[0], out)
        with capture("attn.weights", "attn.z") as explicit:
            assert torch.allclose(attention(tokens, (1, 2), None)[0], out)
    assert torch.allclose(explicit["attn.weights"][0], weights)
    for kept in (fused, explicit):
        assert torch.allclose(kept["attn.z"][0], z)


def test_patches_are_counted_row_by_row():
    """A patch embedding that sums a patch's pixels, on an image whose pixels are their patch's number."""
    config = ViTConfig(patch_size=2, in_chans=1, embed_dim=1)
    embed = PatchEmbed(config)
    embed.load_state_dict({"proj.weight": torch.ones(1, 1, 2, 2), "proj.bias": torch.zeros(1)})
    image = torch.arange(6.0).reshape(2, 3).repeat_interleave(2, 0).repeat_interleave(2, 1)
    with torch.no_grad():
        assert embed(image[None, None])[0, :, 0].tolist() == [0, 4, 8, 12, 16, 20]


def test_positions_of_the_trained_grid_are_used_as_they_are_and_prefix_positions_always(small):
    assert torch.equal(small.positions(4, 6), small.pos_embed)
    resampled = small.positions(8, 3)
    assert resampled.shape == (1, 3 + 24, 24)
    assert torch.equal(resampled[:, :3], small.pos_embed[:, :3])


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [(3, 32, 48), (1, 1, 3, 32, 48), (1, 1, 32, 48), (1, 4, 32, 48), (1, 3, 33, 48), (1, 3, 32, 47), (1, 3, 0, 48)],
)
def test_an_input_of_the_wrong_shape_is_refused(small, shape):
    with pytest.raises(ModelError) as caught:
        small(torch.zeros(shape))
    assert str(shape) in str(caught.value)
    assert "[batch, 3, H, W]" in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"mlp": "convolution"}, "mlp='convolution'.*'plain', 'gated'"),
        ({"activation": "relu"}, "activation='relu'"),
        ({"norm": "batch"}, "norm='batch'"),
        ({"block": "recurrent"}, "block='recurrent'"),
        ({"pooling": "max"}, "pooling='max'"),
        ({"class_token": False}, "token pooling.*class token"),
        ({"pooling": "distilled"}, "distilled pooling.*distillation token"),
        ({"pooling": "attention"}, "attention pooling.*heads"),
        ({"relative_position_bias": True}, "relative position.*prefix token"),
        ({"differential": True, "qk_norm": True}, "differential attention.*queries"),
        ({"rope": RoPE(), "head_dim": 7}, "RoPE.*head_dim"),
        ({"stem": True}, "stem=True"),
    ],
)
def test_what_cannot_be_represented_is_refused_by_name(parts, why):
    with pytest.raises(ModelError, match=why):
        VisionTransformer(replace(SMALL, **parts))


def test_labels_have_to_be_as_many_as_classes():
    assert VisionTransformer(SMALL, labels=tuple("abcde")).labels == ("a", "b", "c", "d", "e")
    with pytest.raises(ModelError, match=mentions(2, 5)):
        VisionTransformer(SMALL, labels=("a", "b"))


def test_a_model_without_registers_or_classes():
    config = replace(SMALL, num_registers=0, num_classes=0)
    model = VisionTransformer(config)
    assert model.config is config
    assert not model.training
    assert not {"reg_token", "head.weight"} & set(model.state_dict())
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 32, 48)).shape == (1, config.embed_dim)


# --- Parts that some models have -------------------------------------------------------------------------------------


def test_differential_attention_by_hand():
    """One head whose halves have different scores: first softmax (1/4, 3/4), second (1/2, 1/2), lambda 1/2."""
    config = ViTConfig(embed_dim=2, num_heads=1, head_dim=2, differential=True)
    attention = DifferentialAttention(config, "attn")
    attention.lam.data.fill_(0.5)
    q = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])  # batch head token channel; one channel a half
    k = torch.tensor([[[[0.0, 5.0], [math.log(3), 5.0]]]])
    weights = torch.tensor([[0.0, 0.5], [0.0, 0.5]])  # (1/4, 3/4) - (1/2, 1/2) / 2
    assert torch.allclose(attention.weigh(attention.score(q, k))[0, 0], weights)
    v = torch.tensor([[[[7.0, 1.0], [2.0, 4.0]]]])
    assert torch.allclose(attention.attend(q, k, v, None)[0, 0], weights @ v[0, 0])


def test_rotation_by_hand_and_scores_depend_on_the_distance_only():
    """One pair rotated by pi / 2 a row; scores depend on the offset between two tokens only."""
    config = replace(SMALL, rope=RoPE(), num_registers=0, num_heads=1, head_dim=4)
    rope = RotaryEmbedding(config)
    rope.freqs.data[0, 0] = torch.tensor([[math.pi / 2, 0.0], [0.0, 0.3]])
    (rotation,) = rope((2, 3))
    vectors = torch.tensor([1.0, 0.0, 1.0, 0.0]).expand(1, 1, 7, 4)
    turned = rotate(vectors, rotation)[0, 0]
    assert torch.equal(turned[0], vectors[0, 0, 0])  # the class token has no position
    assert torch.allclose(turned[1], vectors[0, 0, 0])
    assert torch.allclose(turned[6], torch.tensor([0.0, 1.0, math.cos(0.6), math.sin(0.6)]), atol=1e-6)
    scores = turned[1:] @ turned[1:].T
    assert torch.allclose(scores[0, 4], scores[1, 5])  # one row down and one column right, from two positions


def test_the_relative_bias_is_looked_up_by_distance():
    bias = RelativeBias(replace(SMALL, image_size=(16, 24), num_registers=0, num_heads=1))
    bias.table.data[:, 0] = torch.arange(len(bias.table))
    assert bias.table.shape == (3 * 5 + 3, 1)
    found = bias((2, 3))[0]
    assert found[0, 1:].tolist() == [15.0] * 6  # the class token as query
    assert found[1:, 0].tolist() == [16.0] * 6  # the class token as key
    assert found[0, 0] == 17
    assert found[1, 1] == found[5, 5] == 7  # offset 0: the middle of the table
    assert found[1, 2] == found[4, 5] == 6  # the key is one column to the right
    assert found[1, 4] == found[2, 5] == 2  # the key is one row below


# --- The configuration -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_token", "registers", "names"),
    [
        (True, 0, ("class token",)),
        (True, 2, ("class token", "register 1", "register 2")),
        (False, 1, ("register 1",)),
        (False, 0, ()),
    ],
)
def test_prefix_tokens_in_words(class_token, registers, names):
    config = ViTConfig(class_token=class_token, num_registers=registers)
    assert config.prefix_token_names == names
    assert config.num_prefix_tokens == len(names)


def test_the_configuration_is_frozen_and_knows_its_grid_and_scale():
    config = ViTConfig(image_size=(225, 448), patch_size=16, head_dim=16)
    assert config.grid == (14, 28)
    assert config.scale == 0.25
    with pytest.raises(FrozenInstanceError):
        config.depth = 3


def test_a_pass_can_begin_at_any_block(small, small_trace):
    for layer in range(small_trace.layers + 1):
        point = f"blocks.{layer}.resid_pre" if layer < small_trace.layers else f"blocks.{layer - 1}.resid_post"
        entering = torch.from_numpy(small_trace.activation(point).copy())[None]
        with torch.no_grad():
            output = small.forward_from(entering.expand(2, -1, -1), small_trace.grid, layer)
        np.testing.assert_allclose(output[1].numpy(), small_trace.output, rtol=1e-5, atol=1e-6)
