"""vitviz.zoo.convert: the same output as the timm model, or a refusal that names the part that differs."""

import copy
import functools

import pytest
import timm
import torch
from timm.models import vision_transformer
from torch import nn

import vitviz
from tests.support.facts import mentions
from vitviz import ModelError
from vitviz.images import Preprocessing

PARALLEL = vision_transformer.ParallelScalingBlock


def timm_model(name, **options):
    """A random timm model in which all parts have an effect: no LayerScale close to 0, no bias of 0."""
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
    assert (config.num_prefix_tokens, config.num_classes) == (prefix, classes)
    pixels = torch.randn(2, config.in_chans, *config.image_size, generator=torch.Generator().manual_seed(10))
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
        {"qk_norm": True},
        {"qk_norm": True, "norm_layer": "rmsnorm"},
        {"scale_attn_norm": True, "scale_mlp_norm": True},
        {"mlp_layer": timm.layers.SwiGLU},
        {"mlp_layer": functools.partial(timm.layers.GluMlp, act_layer=nn.GELU, gate_last=True)},
        {"act_layer": "silu"},
        {"act_layer": "quick_gelu"},
        {"act_layer": functools.partial(nn.GELU, approximate="tanh")},
        {"norm_layer": "rmsnorm"},
        {"block_fn": PARALLEL, "qkv_bias": False, "qk_norm": True},
        {
            "block_fn": functools.partial(vision_transformer.ParallelScalingBlock, fuse_out_proj=True),
            "proj_bias": False,
        },
        {"block_fn": functools.partial(vision_transformer.ParallelThingsBlock, num_parallel=3), "init_values": 0.3},
        {"block_fn": vision_transformer.ResPostBlock},
        {"attn_layer": "diff", "scale_attn_norm": True},
        {"pre_norm": True},
        {"embed_norm_layer": "layernorm"},
        {"pos_embed": "none"},
        {"global_pool": "avg", "reg_tokens": 1, "pool_include_prefix": True},
        {"global_pool": "avg", "class_token": False, "num_classes": 0},
        {"global_pool": "map", "reg_tokens": 1},
        {"global_pool": "map", "pool_include_prefix": True, "act_layer": "silu"},
        {"fc_norm": True},
        {"final_norm": False},
        {"proj_bias": False},
    ],
)
def test_variants_of_the_same_architecture(options):
    theirs = tiny(**options)
    random = torch.Generator().manual_seed(11)
    for parameter in theirs.parameters():
        parameter.data += torch.randn(parameter.shape, generator=random) / 10
    ours = vitviz.from_timm(theirs)
    pixels = torch.randn(1, ours.config.in_chans, *ours.config.image_size, generator=random)
    with torch.no_grad():
        expected = theirs(pixels)
        assert (ours(pixels) - expected).abs().max() < 1e-5 * expected.abs().max()


def test_the_shipped_architecture_is_found_out(twin, model):
    assert vitviz.from_timm(twin).config == model.config


def test_name_and_preprocessing_are_carried_over():
    theirs = timm.create_model("vit_tiny_patch16_224", img_size=32)
    ours = vitviz.from_timm(theirs)
    assert ours.name == "vit_tiny_patch16_224"
    assert ours.preprocessing == Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", 0.9)
    theirs.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "interpolation": "bilinear", "std": None}
    assert vitviz.from_timm(theirs).preprocessing == Preprocessing(
        mean=(0.1, 0.2, 0.3), interpolation="bilinear", crop_fraction=0.875
    )
    homemade = vitviz.from_timm(tiny())
    assert (homemade.name, homemade.preprocessing) == ("VisionTransformer", Preprocessing())


def test_what_training_puts_around_a_model_is_taken_off():
    theirs = tiny()
    pixels = torch.ones(1, 3, 32, 32)
    for wrapped in (torch.compile(theirs), nn.DataParallel(theirs), torch.compile(nn.DataParallel(theirs))):
        assert torch.allclose(vitviz.from_timm(wrapped)(pixels), theirs(pixels), atol=1e-5)


def test_a_model_in_memory_has_only_the_class_names_that_it_spells_out():
    theirs = timm.create_model("vit_tiny_patch16_224", img_size=32)
    assert vitviz.from_timm(theirs).labels == (), "nobody knows what it was trained for"
    theirs.pretrained_cfg |= {"label_names": [f"n{i}" for i in range(1000)]}
    assert vitviz.from_timm(theirs).labels[999] == "n999"


# --- The original is not changed -------------------------------------------------------------------------------------


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
    ("name", "why"),
    [
        ("resnet18", mentions("ResNet")),
        ("swin_tiny_patch4_window7_224", mentions("attention", "windows")),
        ("swinv2_tiny_window8_256", mentions("attention", "windows")),
        ("xcit_nano_12_p16_224", mentions("attention", "channels")),
        ("cait_xxs24_224", mentions("class token", "blocks")),
        ("vit_relpos_small_patch16_224", mentions("VisionTransformerRelPos")),
    ],
)
def test_models_that_are_not_plain_are_refused_with_the_reason(name, why):
    with torch.device("meta"):  # shapes only
        theirs = timm.create_model(name)
    with pytest.raises(ModelError, match=why):
        vitviz.from_timm(theirs)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"patch_size": (8, 16)}, "patch_embed.patch_size"),
        ({"global_pool": "max"}, "global_pool is 'max'"),
        ({"global_pool": "avgmax"}, "global_pool is 'avgmax'"),
        ({"global_pool": ""}, "global_pool is ''"),
        ({"global_pool": "prr"}, "global_pool is 'prr'"),
        ({"act_layer": "relu"}, "blocks.0.mlp.act is ReLU"),
        ({"attn_layer": "diff", "qk_norm": True}, "This configuration has differential attention with normalised"),
        ({"mlp_layer": timm.layers.GatedMlp}, "blocks.0.mlp is GatedMlp"),
    ],
)
def test_an_option_that_is_not_computed_is_refused_by_name(options, part):
    with pytest.raises(ModelError) as caught:
        vitviz.from_timm(tiny(**options))
    assert str(caught.value).startswith(part)


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        ("blocks.1.norm2.eps", 0.1, "The norms of this model differ"),
        ("norm.eps", 0.1, "The norms of this model differ"),
        ("blocks.1.norm1", nn.BatchNorm1d(17), "blocks.1.norm1 is BatchNorm1d"),
        ("blocks.1.attn.num_heads", 6, "blocks.1.attn.scale"),
        ("blocks.1.attn.scale", 0.5, "blocks.1.attn.scale"),
        ("blocks.1.attn.lora", nn.Linear(24, 2), "blocks.1.attn.lora does not exist in timm's Attention"),
        ("blocks.1.attn", nn.Identity(), "blocks.1.attn is Identity"),
        ("patch_embed.proj", nn.Sequential(), "patch_embed.proj is Sequential"),
        ("blocks.1.attn.qkv", nn.Sequential(nn.Linear(24, 72)), "blocks.1.attn.qkv is Sequential"),
        ("blocks.1.attn.gate", nn.Linear(24, 24), "blocks.1.attn.gate"),
        ("head", nn.Sequential(nn.Linear(24, 5), nn.Linear(5, 5)), "head is a Sequential of Linear, Linear"),
        ("blocks.1.mlp.fc1", nn.Linear(24, 50), "'VisionTransformer' is not as timm builds it: blocks.1.mlp.fc1"),
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
    with pytest.raises(ModelError, match=mentions(type(thing).__name__, "timm")):
        vitviz.from_timm(thing)


def test_our_own_class_of_the_same_name_is_not_timms(small):
    with pytest.raises(ModelError, match=mentions("VisionTransformer", "timm")):
        vitviz.from_timm(small)
