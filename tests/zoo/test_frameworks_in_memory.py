"""torchvision and transformers ViTs in memory, and peft adapters: same output, or a refusal that names the part."""

import copy

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer as TorchvisionViT

import vitviz
from tests.support.facts import mentions
from tests.support.framework_stand_ins import peft_lora, transformers_vit
from tests.support.image_files import assert_one_sentence
from tests.support.refusals import assert_refused
from vitviz import ModelError

WITHIN = 1e-5  # relative to the largest number
ViTModel, ViTForImageClassification = transformers_vit.ViTModel, transformers_vit.ViTForImageClassification


def randomised(model):
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data += torch.randn(parameter.shape) / 10
    return model


def torchvision(**options):
    return randomised(TorchvisionViT(32, 8, 2, 3, 24, 48, **({"num_classes": 5} | options)))


def timm():
    return randomised(TimmViT(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=5))


def classifier(**said):
    return randomised(ViTForImageClassification(transformers_vit.ViTConfig(**said)))


def output(model, pixels):
    found = copy.deepcopy(model).eval()(pixels)
    if isinstance(found, torch.Tensor):
        return found
    return found.last_hidden_state[:, 0] if found.logits is None else found.logits


@torch.no_grad()
def assert_same(theirs, side=32):
    before = {key: value.clone() for key, value in theirs.state_dict().items()}
    training = theirs.training
    ours = vitviz.from_timm(theirs)
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    found, expected = ours(pixels), output(theirs, pixels)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= WITHIN * float(expected.abs().max())
    assert theirs.training == training
    for key, value in theirs.state_dict().items():
        assert torch.equal(value, before[key]), f"the original's {key} was changed"
    return ours


# --- torchvision -----------------------------------------------------------------------------------------------------

HEADS = {
    "its own": (None, 5),
    "linear": (nn.Linear(24, 2), 2),
    "dropout and linear": (nn.Sequential(nn.Dropout(), nn.Linear(24, 2)), 2),
    "none": (nn.Identity(), 0),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_vit_of_torchvision(head):
    theirs, (module, classes) = torchvision(), HEADS[head]
    theirs.heads = module or theirs.heads
    ours = assert_same(theirs)
    assert ours.config.num_classes == classes
    assert ours.preprocessing.interpolation == "bilinear", "its framework's and not timm's"
    assert ours.trace(torch.zeros(3, 32, 32)).attention(1, 2).shape == (17, 17)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_precision_becomes_float32(dtype):
    theirs = torchvision().to(dtype)
    ours = vitviz.from_timm(theirs)
    assert ours.head.weight.dtype == torch.float32
    assert torch.equal(ours.head.weight, theirs.heads.head.weight.float())


def test_wrappers_around_it_are_taken_off():
    for wrapped in (nn.DataParallel(torchvision()), torch.optim.swa_utils.AveragedModel(torchvision())):
        assert vitviz.from_timm(wrapped).config.num_classes == 5


class Tanh(nn.Module):
    def forward(self, x):
        return x.tanh()


class Doubled(TorchvisionViT):
    def forward(self, x):
        return 2 * super().forward(x)


CHANGES = {
    "mlp.1 is ReLU": lambda m: setattr(m.encoder.layers[0].mlp, "1", nn.ReLU()),
    "its own settings": lambda m: delattr(m, "encoder"),
    "encoder.ln is Identity": lambda m: setattr(m.encoder, "ln", nn.Identity()),
    "ln_1.eps": lambda m: setattr(m.encoder.layers[1].ln_1, "eps", 1e-3),
    "self_attention.num_heads": lambda m: setattr(m.encoder.layers[1].self_attention, "num_heads", 4),
    "heads is a Sequential": lambda m: setattr(m, "heads", nn.Sequential(nn.Linear(24, 2), nn.Softmax(-1))),
    "heads is ReLU": lambda m: setattr(m, "heads", nn.ReLU()),
    "heads is Tanh": lambda m: setattr(m, "heads", Tanh()),
    "extra is an addition": lambda m: setattr(m, "extra", nn.Linear(2, 2)),
    "its own forward": lambda m: setattr(m, "forward", lambda x: x),
    "encoder has a forward hook": lambda m: m.encoder.register_forward_hook(lambda *_: None),
    "conv_proj.stride": lambda m: setattr(m.conv_proj, "stride", (4, 4)),
    "dropout is Tanh": lambda m: setattr(m.encoder, "dropout", Tanh()),
    "overrides forward": lambda m: setattr(m, "__class__", Doubled),
    "meta": lambda m: m.to("meta"),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_changed_vit_of_torchvision_is_refused_by_the_part(part):
    theirs = torchvision()
    CHANGES[part](theirs)
    assert_refused(theirs, part)


def test_the_advice_on_its_preprocessing_can_be_followed():
    with pytest.warns(vitviz.VitvizWarning, match=r"set model\.preprocessing"):
        ours = vitviz.from_timm(torchvision())
    ours.preprocessing = vitviz.Preprocessing()
    assert not ours.notes


def test_a_representation_layer_is_refused():
    with pytest.raises(ModelError, match=mentions("heads", "Linear, Tanh, Linear")):
        vitviz.from_timm(torchvision(representation_size=8))


# --- transformers ----------------------------------------------------------------------------------------------------


def test_a_classifier_of_transformers():
    ours = assert_same(classifier())
    assert ours.labels == ("cat", "dog")
    assert ours.preprocessing.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("said", [{"layer_norm_eps": 1e-3}, {"qkv_bias": False}, {"num_attention_heads": 6}])
def test_its_configuration_is_followed(said):
    assert_same(classifier(**said))


def test_a_head_of_ones_own_on_it():
    theirs = classifier()
    theirs.classifier = nn.Sequential(nn.Dropout(), nn.Linear(48, 3))
    ours = assert_same(theirs)
    assert ours.labels == ()
    assert ours.config.num_classes == 3


def test_a_model_of_transformers_without_a_classifier_has_the_class_token_as_output():
    for pooler in (True, False):
        theirs = randomised(ViTModel(transformers_vit.ViTConfig(), add_pooling_layer=pooler))
        assert assert_same(theirs).config.num_classes == 0


OF_TRANSFORMERS = {
    "intermediate_act_fn is ReLU": lambda m: setattr(
        m.vit.encoder.layer[0].intermediate, "intermediate_act_fn", nn.ReLU()
    ),
    "scaling is 1.0": lambda m: setattr(m.vit.encoder.layer[1].attention.attention, "scaling", 1.0),
    "model.vit": lambda m: setattr(m, "classifier", nn.Identity()),
    "classifier is Tanh": lambda m: setattr(m, "classifier", Tanh()),
    "layernorm.eps": lambda m: setattr(m.vit.layernorm, "eps", 1e-3),
}


@pytest.mark.parametrize("part", OF_TRANSFORMERS)
def test_a_changed_model_of_transformers_is_refused_by_the_part(part):
    theirs = classifier()
    OF_TRANSFORMERS[part](theirs)
    assert_refused(theirs, part)


def test_a_version_that_computes_something_else_is_refused(monkeypatch):
    theirs = classifier()
    attend = type(theirs.vit.encoder.layer[0].attention.attention)
    forward = attend.forward
    other = type(forward)(
        (lambda self, x: self.value(x)).__code__, forward.__globals__, "forward"
    )  # as if transformers had written it
    monkeypatch.setattr(attend, "forward", other)
    with pytest.raises(ModelError, match="differs") as caught:
        vitviz.from_timm(theirs)
    assert_one_sentence(str(caught.value))


class Lit(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.backbone = model
        self.loss = nn.Linear(3, 1)


@pytest.mark.parametrize("make", [torchvision, timm, classifier])
def test_a_model_in_something_else_is_pointed_at(make):
    model = Lit(make())
    with pytest.raises(ModelError, match=r"model\.backbone"):
        vitviz.from_timm(model)
    vitviz.from_timm(model.backbone)


def test_a_model_with_a_decoder_points_at_its_vit():
    with pytest.raises(ModelError, match=r"model\.vit\b"):
        vitviz.from_timm(transformers_vit.ViTForMaskedImageModeling(transformers_vit.ViTConfig()))


# --- Adapters --------------------------------------------------------------------------------------------------------


def adapted(model, places, kind=peft_lora.Linear):
    """Model with LoRA on some of its layers, wrapped as by peft."""
    for place in places:
        outer, _, name = place.rpartition(".")
        setattr(model.get_submodule(outer), name, kind(model.get_submodule(place)))
    return randomised(peft_lora.PeftModel(peft_lora.LoraModel(model)))


MODELS = {
    "timm": (timm, ["blocks.0.attn.qkv", "blocks.1.mlp.fc1", "head"]),
    "torchvision": (torchvision, ["encoder.layers.encoder_layer_0.mlp.0"]),
    "transformers": (classifier, ["vit.encoder.layer.0.attention.attention.query", "vit.encoder.layer.1.output.dense"]),
}


@pytest.mark.parametrize("framework", MODELS)
@pytest.mark.parametrize("state", ["in force", "merged", "off", "merged and off"])
def test_adapters_are_merged_as_they_are_in_force(framework, state):
    make, places = MODELS[framework]
    theirs = adapted(make(), places)
    for module in theirs.modules():
        if isinstance(module, peft_lora.Linear):
            if state.startswith("merged"):
                module.merge()
            module.disable_adapters = state.endswith("off")
    assert_same(theirs)
    assert_same(theirs.base_model.model)


def test_modules_that_were_trained_as_a_whole():
    model = timm()
    model.head = peft_lora.ModulesToSaveWrapper(model.head, copy.deepcopy(model.head))
    theirs = adapted(model, ["blocks.0.attn.proj"])
    assert_same(theirs)
    model.head.disable_adapters = True
    assert_same(theirs)


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(ModelError, match="input") as caught:
        vitviz.from_timm(adapted(timm(), ["blocks.0.attn.qkv"], peft_lora.Unmergeable))
    assert_one_sentence(str(caught.value))
    with pytest.raises(ModelError):
        vitviz.from_timm(peft_lora.PromptModel(timm()))
