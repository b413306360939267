"""timm models that were modified in memory: the same output, or a refusal that names the part."""

import copy
import types

import numpy as np
import pytest
import timm
import torch
from timm.layers import Mlp
from timm.models import vision_transformer
from timm.utils import ModelEma, ModelEmaV2, ModelEmaV3
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel

import vitviz
from tests.support.checkpoints import SHAPE, randomised, saved
from tests.support.facts import mentions
from tests.support.image_files import assert_one_sentence
from tests.support.refusals import assert_refused
from vitviz import ModelError


def tiny(kind=vision_transformer.VisionTransformer, **options):
    torch.manual_seed(0)
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5}
    model = kind(**(shape | options)).eval()
    for parameter in model.parameters():
        parameter.data += torch.randn(parameter.shape) / 10
    return model


def pixels(channels=3):
    return torch.randn(2, channels, 32, 32, generator=torch.Generator().manual_seed(1))


def assert_same(ours, theirs, channels=3):
    with torch.no_grad():
        expected = theirs(pixels(channels))
        found = ours(pixels(channels))
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


# --- The classifier --------------------------------------------------------------------------------------------------

HEADS = {
    "linear": (nn.Linear(24, 2), 2),
    "without bias": (nn.Linear(24, 2, bias=False), 2),
    "as many": (nn.Linear(24, 5), 5),
    "identity": (nn.Identity(), 0),
    "dropout and linear": (nn.Sequential(nn.Dropout(0.5), nn.Linear(24, 2)), 2),
    "one in another": (nn.Sequential(nn.Sequential(nn.Identity(), nn.Linear(24, 2)), nn.Dropout()), 2),
    "nothing": (nn.Sequential(), 0),
    "dropout": (nn.Dropout(0.5), None),
    "mlp": (nn.Sequential(nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 2)), None),
    "softmax": (nn.Sequential(nn.Linear(24, 2), nn.Softmax(-1)), None),
    "norm": (nn.BatchNorm1d(24), None),
    "none": (None, None),
    "of another width": (nn.Linear(23, 2), None),
}


@pytest.mark.parametrize("noted", [0, 2, 5, 1000])
@pytest.mark.parametrize("kind", HEADS)
def test_the_classifier_counts_and_not_what_is_noted_about_it(kind, noted):
    head, classes = HEADS[kind]
    theirs = tiny()
    theirs.head, theirs.num_classes = copy.deepcopy(head), noted
    theirs.pretrained_cfg = {"num_classes": noted, "label_names": [f"n{i}" for i in range(noted)]}
    if classes is None:
        with pytest.raises(ModelError, match=mentions("head")) as caught:
            vitviz.from_timm(theirs)
        assert_one_sentence(str(caught.value))
        return
    ours = vitviz.from_timm(theirs.eval())
    assert ours.config.num_classes == classes
    assert len(ours.labels) == (classes if classes == noted else 0)
    assert_same(ours, theirs)


def test_a_classifier_that_was_deleted():
    theirs = tiny()
    del theirs.head
    with pytest.raises(ModelError, match="head"):
        vitviz.from_timm(theirs)


@pytest.mark.parametrize("change", ["reset to 7", "reset to none", "other pooling", "norm replaced", "norm taken away"])
def test_what_timm_itself_changes(change):
    theirs = tiny(global_pool="avg") if change.startswith("norm") else tiny()
    if change == "reset to 7":
        theirs.reset_classifier(7)
    elif change == "reset to none":
        theirs.reset_classifier(0)
    elif change == "other pooling":
        theirs.reset_classifier(3, global_pool="avg")
    elif change == "norm replaced":
        theirs.fc_norm = nn.LayerNorm(24, eps=1e-6)
        nn.init.normal_(theirs.fc_norm.weight)
    else:
        theirs.fc_norm = nn.Identity()
    theirs.eval()
    assert_same(vitviz.from_timm(theirs), theirs)


def test_norms_without_weights_have_ones_and_zeros():
    theirs = tiny()
    theirs.norm = nn.LayerNorm(24, eps=1e-6, elementwise_affine=False)
    theirs.blocks[1].norm1 = nn.LayerNorm(24, eps=1e-6, bias=False)
    assert_same(vitviz.from_timm(theirs), theirs)


def test_the_channels_are_those_of_the_weights():
    theirs = tiny()
    theirs.patch_embed.proj = nn.Conv2d(1, 24, 8, 8)
    assert theirs.in_chans == 3
    assert_same(vitviz.from_timm(theirs), theirs, channels=1)


# --- Removed ---------------------------------------------------------------------------------------------------------


def test_wrappers_around_a_model_and_around_its_parts_are_taken_off():
    theirs = tiny()
    averaged, decayed = AveragedModel(theirs), ModelEmaV3(theirs)
    for wrapped in (averaged, decayed, ModelEma(theirs), ModelEmaV2(theirs), nn.DataParallel(averaged)):
        assert_same(vitviz.from_timm(wrapped), theirs)
    parts = copy.deepcopy(theirs)
    parts.blocks[0] = torch.compile(parts.blocks[0])
    parts.blocks[1] = checkpoint_wrapper(parts.blocks[1])
    names = list(parts.state_dict())
    assert_same(vitviz.from_timm(parts), theirs)
    assert list(parts.state_dict()) == names, "the original was changed"
    compiled = copy.deepcopy(theirs)
    compiled.compile()
    assert_same(vitviz.from_timm(compiled), theirs)


def test_what_is_for_training_only_changes_nothing():
    theirs = tiny(drop_rate=0.5, proj_drop_rate=0.5, attn_drop_rate=0.5, drop_path_rate=0.5, patch_drop_rate=0.5)
    theirs.set_grad_checkpointing()
    theirs.blocks[0].attn.fused_attn = False
    theirs.register_full_backward_hook(lambda *_: None)
    assert_same(vitviz.from_timm(theirs.train()), theirs.eval())


class Harmless(vision_transformer.VisionTransformer):
    """Subclass of timm's class that overrides nothing in the forward pass."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.steps = 0

    def loss(self, x):
        return self(x).sum()

    def extra_repr(self):
        return "mine"


def test_a_class_that_only_adds_is_timms():
    theirs = tiny(Harmless)
    assert_same(vitviz.from_timm(theirs), theirs)


# --- Refused ---------------------------------------------------------------------------------------------------------


class OtherPool(vision_transformer.VisionTransformer):
    def pool(self, x, pool_type=None):
        return x.mean(dim=1)


class OtherAttention(vision_transformer.Attention):
    def forward(self, x, *_, **__):
        return super().forward(x) * 2


class Attention(nn.Module):
    """Class with the name of timm's, but another computation."""

    def __init__(self, inner):
        super().__init__()
        self.__dict__.update(inner.__dict__)

    def forward(self, x, *_, **__):
        return x


class Linear(nn.Linear):
    """Adapter with the name Linear, as in some libraries."""

    def __init__(self, inner):
        super().__init__(inner.in_features, inner.out_features)
        self.weight, self.bias = inner.weight, inner.bias

    def forward(self, x):
        return super().forward(x) + 1


def of_another_class(module, kind):
    module.__class__ = kind


def shifted(module, *_):
    return module


CHANGES = {
    "forward_head": lambda m: setattr(m, "forward_head", types.MethodType(lambda self, x: self.head(x[:, 1]), m)),
    "forward_features": lambda m: setattr(m, "forward_features", m.patch_embed),
    "pool": lambda m: setattr(m, "pool", lambda x, *_: x.mean(1)),
    "_pos_embed": lambda m: setattr(m, "_pos_embed", lambda x: x),
    "VisionTransformer": lambda m: setattr(m, "forward", lambda x: x),
    "blocks.1.attn": lambda m: setattr(m.blocks[1].attn, "forward", lambda x, **_: x),
    "blocks.0.mlp.act": lambda m: setattr(m.blocks[0].mlp.act, "forward", torch.relu),
    "norm has its own forward": lambda m: setattr(m.norm, "forward", lambda x: x),
    "blocks.0 has a forward hook": lambda m: m.blocks[0].register_forward_hook(shifted),
    "blocks.1.attn.qkv has a forward pre-hook": lambda m: m.blocks[1].attn.qkv.register_forward_pre_hook(shifted),
    "VisionTransformer has a forward hook": lambda m: m.register_forward_hook(shifted),
    "blocks.0.mlp.fc1 has a forward pre-hook": lambda m: prune.l1_unstructured(m.blocks[0].mlp.fc1, "weight", 0.5),
    "blocks.0.mlp.fc2 computes weight": lambda m: parametrizations.spectral_norm(m.blocks[0].mlp.fc2),
    "head computes weight": lambda m: parametrizations.weight_norm(m.head),
    "blocks.0.attn.proj is Linear": lambda m: setattr(m.blocks[0].attn, "proj", Linear(m.blocks[0].attn.proj)),
    "blocks.0.attn is OtherAttention": lambda m: of_another_class(m.blocks[0].attn, OtherAttention),
    "blocks.0.attn is Attention": lambda m: setattr(m.blocks[0], "attn", Attention(m.blocks[0].attn)),
    "pos_drop is ReLU": lambda m: setattr(m, "pos_drop", nn.ReLU()),
    "head_drop is Sequential": lambda m: setattr(m, "head_drop", nn.Sequential(nn.Tanh())),
    "blocks.0.drop_path1 is Tanh": lambda m: setattr(m.blocks[0], "drop_path1", nn.Tanh()),
    "blocks.1.ls2 is Tanh": lambda m: setattr(m.blocks[1], "ls2", nn.Tanh()),
    "blocks.1.mlp.drop2 is Softmax": lambda m: setattr(m.blocks[1].mlp, "drop2", nn.Softmax(-1)),
    "blocks.1.mlp.act": lambda m: setattr(m.blocks[1].mlp, "act", nn.ReLU()),
    "blocks.1.norm1 is Identity": lambda m: setattr(m.blocks[1], "norm1", nn.Identity()),
    "norm_pre is Linear": lambda m: setattr(m, "norm_pre", nn.Linear(24, 24)),
    "adapter does not exist": lambda m: setattr(m, "adapter", Mlp(24)),
    "loss_weight is not expected": lambda m: m.register_parameter("loss_weight", nn.Parameter(torch.ones(3))),
    "patch_embed.proj.stride": lambda m: setattr(m.patch_embed.proj, "stride", (4, 4)),
    "patch_embed.proj.dilation": lambda m: setattr(m.patch_embed.proj, "dilation", (2, 2)),
    "num_prefix_tokens": lambda m: setattr(m, "num_prefix_tokens", 3),
    "attn_pool": lambda m: setattr(m, "attn_pool", timm.layers.AttentionPoolLatent(24, num_heads=3)),
    "blocks.0.attn.qkv.weight is quantised": lambda m: setattr(
        m.blocks[0].attn.qkv, "weight", nn.Parameter(m.blocks[0].attn.qkv.weight.detach().to_sparse())
    ),
    "blocks": lambda m: setattr(m, "blocks", nn.Sequential()),
    "meta": lambda m: m.to("meta"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", CHANGES)
def test_a_change_is_refused_by_its_name(part):
    theirs = tiny()
    CHANGES[part](theirs)
    assert "not the weights" not in assert_refused(theirs, part)


def test_a_part_that_the_class_does_not_use_is_not_computed():
    theirs = timm.create_model("deit_tiny_distilled_patch16_224", img_size=32, depth=1)
    theirs.fc_norm = nn.LayerNorm(192, eps=1e-6)
    with pytest.raises(ModelError, match="fc_norm"):
        vitviz.from_timm(theirs)


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_script_is_no_timm_model():
    with pytest.raises(ModelError, match=mentions("timm")):
        vitviz.from_timm(torch.jit.trace(tiny(), pixels()))


def test_classes_that_replace_methods_are_refused():
    with pytest.raises(ModelError, match=mentions("OtherPool", "pool", "VisionTransformer")):
        vitviz.from_timm(tiny(OtherPool))


class Lit(nn.Module):
    """Training module that contains the model."""

    def __init__(self):
        super().__init__()
        self.net = tiny()


@pytest.mark.parametrize("outer", [Lit, lambda: nn.Sequential(nn.Identity(), tiny())])
def test_a_model_inside_of_something_else_is_pointed_at(outer):
    model = outer()
    with pytest.raises(ModelError, match=r" model\.(net|1)\.") as caught:
        vitviz.from_timm(model)
    assert_one_sentence(str(caught.value))
    assert vitviz.from_timm(tiny()).config.depth == 2


@pytest.mark.parametrize(
    ("library", "advice"),
    [("peft.tuners.lora.layer", "merge_and_unload"), ("bitsandbytes.nn.modules", "floating point")],
)
def test_layers_of_libraries_are_told_apart_by_where_they_come_from(library, advice):
    theirs = tiny()
    theirs.blocks[1].attn.qkv = Linear(theirs.blocks[1].attn.qkv)
    of_another_class(theirs.blocks[1].attn.qkv, type("Linear", (Linear,), {"__module__": library}))
    with pytest.raises(ModelError, match=advice) as caught:
        vitviz.from_timm(theirs)
    assert "blocks.1.attn.qkv" in str(caught.value)
    whole = tiny()
    of_another_class(whole, type("PeftModel", (Harmless,), {"__module__": library, "forward": lambda self, x: x}))
    with pytest.raises(ModelError, match=advice):
        vitviz.from_timm(whole)


def test_a_method_replaced_on_the_class_itself(monkeypatch):
    theirs = tiny()
    monkeypatch.setattr(vision_transformer.Attention, "forward", lambda self, x, *_, **__: x)
    with pytest.raises(ModelError, match=mentions("blocks.0.attn", "forward")):
        vitviz.from_timm(theirs)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (nn.Module, "state_dict"),
        (nn.Module, "__call__"),
        (nn.Linear, "forward"),
        (vision_transformer.VisionTransformer, "forward"),
        (vision_transformer.VisionTransformer, "forward_features"),
        (vision_transformer.VisionTransformer, "_pos_embed"),
        (vision_transformer.VisionTransformer, "__getattribute__"),  # new, but called by Python itself
    ],
)
def test_a_method_that_computes_replaced_on_the_class(kind, name, monkeypatch):
    theirs = tiny()
    original = getattr(kind, name)
    monkeypatch.setattr(kind, name, lambda self, *args, **options: original(self, *args, **options), raising=False)
    with pytest.raises(ModelError, match=mentions(name)):
        vitviz.from_timm(theirs)


@pytest.mark.parametrize("kind", [nn.Module, nn.Linear, vision_transformer.VisionTransformer, vision_transformer.Block])
def test_a_method_of_a_new_name_that_another_library_puts_on_a_class_changes_nothing(kind, monkeypatch, tmp_path):
    theirs = tiny()
    expected = vitviz.from_timm(theirs)(pixels())
    monkeypatch.setattr(kind, "initialize_smartly", lambda self, how: how, raising=False)
    assert torch.equal(vitviz.from_timm(theirs)(pixels()), expected)
    path = saved(tmp_path / "best.pth", randomised(vision_transformer.VisionTransformer(**SHAPE)).state_dict())
    assert vitviz.load(path, num_heads=SHAPE["num_heads"]).config.depth == SHAPE["depth"]


def test_global_hooks():
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with pytest.raises(ModelError, match="global"):
            vitviz.from_timm(tiny())
    finally:
        handle.remove()


@pytest.mark.filterwarnings("ignore")
def test_following_the_advice_works():
    theirs = tiny()
    prune.l1_unstructured(theirs.blocks[0].mlp.fc1, "weight", 0.5)
    parametrizations.weight_norm(theirs.blocks[1].mlp.fc1)
    handle = theirs.blocks[0].register_forward_hook(shifted)
    theirs.pool = theirs.pool
    prune.remove(theirs.blocks[0].mlp.fc1, "weight")
    nn.utils.parametrize.remove_parametrizations(theirs.blocks[1].mlp.fc1, "weight")
    handle.remove()
    del theirs.pool
    assert_same(vitviz.from_timm(theirs), theirs)


@pytest.mark.filterwarnings("ignore")
def test_quantised_models():
    ao = pytest.importorskip("torch.ao.quantization")
    quantised = ao.quantize_dynamic(tiny(), {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(ModelError, match="quantised") as caught:
        vitviz.from_timm(quantised)
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_floating_point_model_becomes_float32(dtype):
    theirs = tiny()
    same = copy.deepcopy(theirs).to(dtype).float()
    assert_same(vitviz.from_timm(theirs.to(dtype)), same)


def test_attention_pooling_of_a_half_precision_model_is_not_computed_in_half_precision():
    theirs = tiny(global_pool="map", class_token=False)
    same = copy.deepcopy(theirs).half().float()
    ours = vitviz.from_timm(theirs.half())
    with torch.no_grad():
        expected = same(pixels())
    assert torch.allclose(ours(pixels()), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    assert np.isfinite(ours.trace(pixels()[0]).output).all()
