"""vitviz.convert: the same numbers as the timm model, or a refusal that names the part that differs."""

import copy
import functools

import pytest
import timm
import torch
from timm.models import vision_transformer
from torch import nn

import vitviz
from vitviz import ModelError
from vitviz.images import Preprocessing


def timm_model(name, **options):
    """A random timm model whose parts all matter: no LayerScale of nearly 0, no bias of 0."""
    model = timm.create_model(name, **options).eval()
    random = torch.Generator().manual_seed(9)
    for parameter in model.parameters():
        parameter.data += torch.randn(parameter.shape, generator=random) / 10
    return model


def tiny(**options):
    """A small timm VisionTransformer with one thing changed."""
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5}
    return vision_transformer.VisionTransformer(**{**shape, **options}).eval()


# --- Equal to timm ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "prefix", "classes"),
    [
        ("vit_small_patch14_dinov2", {"img_size": 56}, 1, 0),
        ("vit_small_patch14_reg4_dinov2", {"img_size": 56}, 5, 0),
        ("vit_small_patch14_reg4_dinov2", {"img_size": (42, 70), "num_classes": 7, "dynamic_img_size": True}, 5, 7),
        ("vit_tiny_patch16_224", {"num_classes": 1000}, 1, 1000),
        ("vit_tiny_patch16_224", {"num_classes": 0, "img_size": 64, "in_chans": 1}, 1, 0),
        ("deit_tiny_patch16_224", {"img_size": 64}, 1, 1000),
        ("deit3_small_patch16_224", {"img_size": 64}, 1, 1000),
    ],
)
def test_a_converted_model_computes_what_timm_computes(name, options, prefix, classes):
    theirs = timm_model(name, **options)
    ours = vitviz.from_timm(theirs)
    config = ours.config
    assert (config.prefix, config.classes) == (prefix, classes)
    pixels = torch.randn(2, config.channels, *config.image_size, generator=torch.Generator().manual_seed(10))
    with torch.no_grad():
        expected = theirs(pixels)
        assert torch.allclose(ours(pixels), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    assert (expected[0] - expected[1]).abs().max() > 0.01


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"qkv_bias": False},
        {"init_values": 0.5},
        {"reg_tokens": 2},
        {"reg_tokens": 2, "no_embed_class": True},
        {"no_embed_class": True, "img_size": (32, 16)},
        {"mlp_ratio": 3.0, "in_chans": 4, "depth": 1},
        {"norm_layer": functools.partial(nn.LayerNorm, eps=0.1)},
        {"drop_rate": 0.5, "drop_path_rate": 0.5, "attn_drop_rate": 0.5, "patch_drop_rate": 0.5},
    ],
)
def test_variants_of_the_same_architecture(options):
    theirs = tiny(**options)
    ours = vitviz.from_timm(theirs)
    pixels = torch.randn(1, ours.config.channels, *ours.config.image_size, generator=torch.Generator().manual_seed(11))
    with torch.no_grad():
        assert torch.allclose(ours(pixels), theirs(pixels), rtol=1e-4, atol=1e-5)


def test_the_shipped_architecture_is_found_out(twin, model):
    assert vitviz.from_timm(twin).config == model.config


def test_name_and_preprocessing_are_carried_over():
    theirs = timm.create_model("vit_tiny_patch16_224", img_size=32)
    ours = vitviz.from_timm(theirs)
    assert ours.name == "vit_tiny_patch16_224"
    assert ours.preprocessing == Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", 0.9)
    theirs.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "interpolation": "bilinear", "std": None}
    assert vitviz.from_timm(theirs).preprocessing == Preprocessing(mean=(0.1, 0.2, 0.3), interpolation="bilinear")
    homemade = vitviz.from_timm(tiny())
    assert (homemade.name, homemade.preprocessing) == ("VisionTransformer", Preprocessing())


# --- The original is left alone --------------------------------------------------------------------------------------


def test_the_original_is_untouched_and_goes_its_own_way():
    theirs = tiny(drop_path_rate=0.2).train()
    theirs.blocks[0].eval()
    before = copy.deepcopy(theirs.state_dict())
    flags = [(module.training, len(module._forward_hooks)) for module in theirs.modules()]
    wants_gradients = [parameter.requires_grad for parameter in theirs.parameters()]

    ours = vitviz.from_timm(theirs)
    assert not ours.training
    assert not any(parameter.requires_grad for parameter in ours.parameters())
    assert [(module.training, len(module._forward_hooks)) for module in theirs.modules()] == flags
    assert [parameter.requires_grad for parameter in theirs.parameters()] == wants_gradients
    assert all(torch.equal(value, before[name]) for name, value in theirs.state_dict().items())

    pixels = torch.ones(1, 3, 32, 32)
    output = ours(pixels)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.zero_()
    assert torch.equal(ours(pixels), output)
    assert output.abs().max() > 0


def test_a_half_precision_model_becomes_float32():
    theirs = tiny().half()
    ours = vitviz.from_timm(theirs)
    assert {value.dtype for value in ours.state_dict().values()} == {torch.float32}
    assert {value.dtype for value in theirs.state_dict().values()} == {torch.float16}


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("vit_base_patch16_clip_224", "norm_pre is LayerNorm"),
        ("vit_base_patch16_siglip_224", "global_pool is 'map'"),
        ("vit_medium_patch16_gap_256", "global_pool is 'avg'"),
        ("vit_giant_patch14_dinov2", "blocks.0.mlp is GluMlp"),
        ("vit_base_patch16_rpn_224", "global_pool is 'avg'"),
        ("vit_tiny_r_s16_p8_224", "patch_embed is HybridEmbed"),
        ("vit_relpos_small_patch16_224", "VisionTransformerRelPos is not"),
        ("deit_tiny_distilled_patch16_224", "VisionTransformerDistilled is not"),
        ("resnet18", "ResNet is not"),
        ("eva02_tiny_patch14_224", "Eva is not"),
        ("swin_tiny_patch4_window7_224", "SwinTransformer is not"),
    ],
)
def test_models_of_timm_that_differ_are_refused_by_name(name, part):
    with torch.device("meta"):  # shapes only
        theirs = timm.create_model(name)
    with pytest.raises(ModelError) as caught:
        vitviz.from_timm(theirs)
    assert str(caught.value).startswith(part)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"qk_norm": True}, "blocks.0.attn.q_norm is LayerNorm"),
        ({"scale_attn_norm": True}, "blocks.0.attn.norm is LayerNorm"),
        ({"scale_mlp_norm": True}, "blocks.0.mlp.norm is LayerNorm"),
        ({"mlp_layer": timm.layers.SwiGLU}, "blocks.0.mlp is SwiGLU"),
        ({"act_layer": "silu"}, "blocks.0.mlp.act is SiLU"),
        ({"act_layer": "quick_gelu"}, "blocks.0.mlp.act is QuickGELU"),
        ({"act_layer": functools.partial(nn.GELU, approximate="tanh")}, "blocks.0.mlp.act"),
        ({"norm_layer": "rmsnorm"}, "norm is RmsNorm"),
        ({"block_fn": vision_transformer.ParallelScalingBlock}, "blocks.0 is ParallelScalingBlock"),
        ({"block_fn": vision_transformer.ResPostBlock}, "blocks.0 is ResPostBlock"),
        ({"pre_norm": True}, "norm_pre is LayerNorm"),
        ({"embed_norm_layer": "layernorm"}, "patch_embed.norm is LayerNorm"),
        ({"patch_size": (8, 16)}, "patch_embed.patch_size"),
        ({"pos_embed": "none"}, "pos_embed"),
        ({"global_pool": "avg"}, "global_pool is 'avg'"),
        ({"global_pool": "avg", "class_token": False}, "global_pool is 'avg'"),
        ({"global_pool": "map"}, "global_pool is 'map'"),
        ({"fc_norm": True}, "norm is Identity"),
        ({"proj_bias": False}, "These are not the weights of 'VisionTransformer': blocks.0.attn.proj.bias is missing"),
    ],
)
def test_an_option_that_is_not_computed_is_refused_by_name(options, part):
    with pytest.raises(ModelError) as caught:
        vitviz.from_timm(tiny(**options))
    assert str(caught.value).startswith(part)


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        ("blocks.1.norm2.eps", 0.1, "norm.eps"),
        ("norm.eps", 0.1, "norm.eps"),
        ("blocks.1.attn.num_heads", 6, "blocks.0.attn.num_heads"),
        ("blocks.1.attn.qkv", nn.Sequential(nn.Linear(24, 72)), "blocks.1.attn.qkv is Sequential"),
        ("blocks.1.attn.gate", nn.Linear(24, 24), "blocks.0.attn.gate"),
        ("head", nn.Sequential(nn.Linear(24, 5)), "head is Sequential"),
        ("blocks.1.mlp.fc1", nn.Linear(24, 50), "These are not the weights of 'VisionTransformer': blocks.1.mlp.fc1"),
    ],
)
def test_a_model_that_was_changed_by_hand_is_refused_by_name(path, value, part):
    theirs = tiny()
    parent, _, name = path.rpartition(".")
    setattr(theirs.get_submodule(parent), name, value)
    with pytest.raises(ModelError) as caught:
        vitviz.from_timm(theirs)
    assert str(caught.value).startswith(part)


@pytest.mark.parametrize("thing", [None, "vit_tiny_patch16_224", nn.Linear(2, 2)])
def test_what_is_no_timm_model_is_refused(thing):
    with pytest.raises(ModelError, match=f"{type(thing).__name__} is not timm's VisionTransformer"):
        vitviz.from_timm(thing)


def test_our_own_class_of_the_same_name_is_not_timms(small):
    with pytest.raises(ModelError, match="VisionTransformer is not timm's"):
        vitviz.from_timm(small)
