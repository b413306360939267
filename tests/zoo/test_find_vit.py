"""Finding the complete ViT among the other modules that a training run saved."""

import warnings

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import nn

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import SHAPE, close, pixels, prefixed, randomised, saved, trainer_folder, zeros
from tests.support.facts import mentions
from vitviz import ModelError, VitvizWarning


@pytest.fixture(scope="module")
def backbone():
    """A small timm model without a classifier."""
    return randomised(TimmViT(**{**SHAPE, "num_classes": 0}))


def notes_of(path, **options):
    """Load a model; return it and its notes, except those on assumptions."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = vitviz.load(path, **options)
    assert all(issubclass(warning.category, VitvizWarning) for warning in said)
    assert [str(warning.message) for warning in said] == list(model.notes)
    return model, [note for note in model.notes if "assumed" not in note]


# --- Containers and wrappers -----------------------------------------------------------------------------------------


def inside(weights, module, wrapper):
    """Weights with a training wrapper around one module."""
    return {key.replace(module, f"{module}{wrapper}."): value for key, value in weights.items()}


CONTAINERS = {
    "a name of one's own": lambda w: {"our_weights": w, "epoch": 3},
    "a deep one": lambda w: {"run": {"best": {"net": {"state": w}}}},
    "encoder": lambda w: {
        "encoder": w,
        "predictor": {"0.weight": torch.zeros(3, 3)},
        "opt": {"state": {0: w["norm.bias"]}},
    },
    "DDP inside": lambda w: {"state_dict": prefixed(w, "net.module.")},
    "FSDP": lambda w: prefixed(inside(w, "blocks.1.", "_fsdp_wrapped_module"), "_fsdp_wrapped_module."),
    "activation checkpointing": lambda w: inside(w, "blocks.0.", "_checkpoint_wrapped_module"),
    "Fabric": lambda w: {"model": prefixed(w, "_forward_module.")},
    "AveragedModel": lambda w: {**prefixed(w, "module."), "n_averaged": torch.tensor(4)},
    "ema-pytorch": lambda w: {
        **prefixed(zeros(w), "online_model."),
        **prefixed(w, "ema_model."),
        "initted": torch.tensor(True),
        "step": torch.tensor(9),
    },
    "Lightning with an averaged copy": lambda w: {
        "state_dict": {**prefixed(zeros(w), "model."), **prefixed(w, "model_ema.module.")}
    },
    "self-distillation": lambda w: {
        "student": prefixed(zeros(w), "module.backbone."),
        "teacher": {
            **prefixed(w, "backbone."),
            "head.mlp.0.weight": torch.zeros(9, 192),
            "head.last_layer.weight_v": torch.zeros(9, 9),
        },
        "dino_loss": {"center": torch.zeros(1, 9)},
    },
    "a masked autoencoder": lambda w: {
        "model": {**w, "decoder_embed.weight": torch.zeros(8, 192), "decoder_blocks.0.norm1.bias": torch.zeros(8)}
    },
    "a loss with weights": lambda w: {"state_dict": {**prefixed(w, "model."), "criterion.weight": torch.ones(5)}},
    "a loss beside bare weights": lambda w: {**w, "loss_fn.pos_weight": torch.ones(5)},
    "metrics": lambda w: {
        "state_dict": {**prefixed(w, "net."), "train_acc.tp": torch.ones(5), "val_f1.fn": torch.ones(5)}
    },
    "a projector": lambda w: {**prefixed(w, "backbone."), "projector.0.weight": torch.zeros(64, 192)},
}


@pytest.mark.parametrize("wrap", CONTAINERS.values(), ids=CONTAINERS)
def test_the_vit_is_found_in_whatever_was_saved_with_it(wrap, original, tmp_path):
    ours = vitviz.load(saved(tmp_path / "last.pth", wrap(original.state_dict())))
    assert close(ours(pixels()), original(pixels()))


OF_TIMM = ("encoder", "FSDP", "activation checkpointing", "a masked autoencoder")  # those with timm's keys


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in OF_TIMM])
def test_that_of_another_framework_is_found_too(name, tmp_path):
    weights = hugging_face.random_weights(classes=0)
    ours = vitviz.load(saved(tmp_path / "last.pth", CONTAINERS[name](weights)))
    assert close(ours(pixels()), hugging_face.forward(weights, pixels()))


def test_what_is_left_out_is_said_and_bookkeeping_is_not(original, tmp_path):
    weights = original.state_dict()
    extra = {
        "projector.0.weight": torch.zeros(64, 192),
        "text.weight": torch.zeros(2),
        "criterion.weight": torch.ones(5),
    }
    _, notes = notes_of(saved(tmp_path / "a.pth", {**prefixed(weights, "backbone."), **extra}))
    assert len(notes) == 1
    assert "projector" in notes[0]
    assert "text" in notes[0]
    assert "criterion" not in notes[0]
    assert (
        notes_of(saved(tmp_path / "b.pth", {**prefixed(weights, "model."), "criterion.weight": torch.ones(5)}))[1] == []
    )


def test_one_of_several_is_chosen_by_its_prefix(original, tmp_path):
    weights = original.state_dict()
    both = {**prefixed(zeros(weights), "module.base_encoder."), **prefixed(weights, "module.momentum_encoder.")}
    path = saved(tmp_path / "moco.pth.tar", {"state_dict": both, "arch": "vit_small"})
    with pytest.raises(ModelError) as caught:
        vitviz.load(path)
    assert "prefix='state_dict.base_encoder.'" in str(caught.value), "the advice names what works"
    written = ("module.momentum_encoder.", "state_dict.module.momentum_encoder")  # as in the file
    for prefix in ("state_dict.momentum_encoder.", "momentum_encoder", "state_dict.momentum_encoder", *written):
        assert close(vitviz.load(path, prefix=prefix)(pixels()), original(pixels()))
    with pytest.raises(ModelError, match=mentions("'encoder'", "'state_dict.momentum_encoder.'")):
        vitviz.load(path, prefix="encoder")


def test_an_averaged_copy_is_said(original, tmp_path):
    weights = original.state_dict()
    path = saved(tmp_path / "a.pth", {"state_dict": zeros(weights), "state_dict_ema": weights})
    model, notes = notes_of(path)
    assert close(model(pixels()), original(pixels()))
    assert "state_dict_ema" in notes[0]
    assert not vitviz.load(path, prefix="state_dict")(pixels()).any()


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {**prefixed(w, "module."), "norm.weight": torch.ones(192)},  # the key without the wrapper
        lambda w: {**w, "blocks.0._orig_mod.norm1.weight": torch.ones(192)},
    ],
)
def test_two_keys_never_become_one(change, original, tmp_path):
    with pytest.raises(ModelError, match=r"norm1?\.weight'.*\btwice\b"):
        vitviz.load(saved(tmp_path / "a.pth", change(original.state_dict())))


def test_two_names_of_one_weight_are_refused(tmp_path):
    weights = hugging_face.random_weights()
    weights["vit.layers.0.attention.q_proj.bias"] = torch.zeros(192)
    with pytest.raises(ModelError, match=mentions("'blocks.0.attn.query.bias'")):
        vitviz.load(saved(tmp_path / "a.pth", weights))


# --- Classifiers -----------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """A custom network around a backbone."""

    def __init__(self, backbone, **parts):
        super().__init__()
        self.backbone = backbone
        for name, part in parts.items():
            self.add_module(name, part)
        self.order = list(parts)

    def forward(self, x):
        x = self.backbone(x)
        for name in self.order:
            x = getattr(self, name)(x)
        return x


@pytest.mark.parametrize("name", ["head", "classifier", "fc", "linear_head", "cls_head", "heads"])
def test_a_linear_classifier_beside_the_vit_is_its_classifier(name, backbone, tmp_path):
    net = randomised(Net(backbone, **{name: nn.Linear(192, 5)}))
    model, notes = notes_of(saved(tmp_path / "a.pth", {"model": net.state_dict()}))
    assert close(model(pixels()), net(pixels()))
    assert repr(name) in notes[0]
    features = vitviz.load(saved(tmp_path / "b.pth", {"model": net.state_dict()}), classes=0)
    assert close(features(pixels()), net.backbone(pixels()))


UNCLEAR = {
    "a norm before it": {"norm": nn.LayerNorm(192), "head": nn.Linear(192, 5)},
    "another name for that": {"ln": nn.LayerNorm(192), "classifier": nn.Linear(192, 5)},
    "a bottleneck": {"neck": nn.Linear(192, 64), "fc": nn.Linear(64, 5)},
    "two layers": {"head": nn.Sequential(nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 5))},
    "a norm inside": {"head": nn.Sequential(nn.LayerNorm(192), nn.Linear(192, 5))},
    "a part that sounds like a metric": {"f1": nn.Linear(192, 192), "classifier": nn.Linear(192, 5)},
    "a part that sounds like bookkeeping": {"center_norm": nn.LayerNorm(192), "classifier": nn.Linear(192, 5)},
    "a part that sounds like training": {"projection": nn.Linear(192, 192), "classifier": nn.Linear(192, 5)},
    "a predictor": {"predictor": nn.Linear(192, 192), "head": nn.Linear(192, 5)},
    "two classifiers": {"head_a": nn.Linear(192, 192), "head_b": nn.Linear(192, 5)},
}


@pytest.mark.parametrize("parts", UNCLEAR.values(), ids=UNCLEAR)
def test_a_classifier_whose_input_is_not_known_is_refused_with_a_way_out(parts, backbone, tmp_path):
    net = randomised(Net(backbone, **parts))
    path = saved(tmp_path / "a.pth", {"state_dict": net.state_dict()})
    with pytest.raises(ModelError, match="classes=0"):
        vitviz.load(path)
    assert close(vitviz.load(path, classes=0)(pixels()), net.backbone(pixels()))


EXTRA = [
    "logit_scale",
    "proj_head.0.weight",
    "rotation_head.weight",
    "head_mixup",
    "aux_head.bias",
    "temperature",
    "mean",
]
EXTRA += ["std", "normalize.mean", "log_sigma", "confmat.confmat", "masked_embed", "f1.weight", "steps"]


@pytest.mark.parametrize("key", EXTRA)
def test_one_key_more_is_no_obstacle(key, original, backbone, tmp_path):
    """An additional key beside a ViT, among its weights, and beside a ViT with a separate classifier, is ignored."""
    one, weights = {key: torch.ones(5)}, original.state_dict()
    for i, file in enumerate(({"state_dict": prefixed(weights, "model.") | one}, weights | one)):
        assert close(vitviz.load(saved(tmp_path / f"{i}.pth", file))(pixels()), original(pixels()))
    net = randomised(Net(backbone, classifier=nn.Linear(192, 5)))
    path = saved(
        tmp_path / "net.pth", {"state_dict": net.state_dict() | one, "hyper_parameters": {"weights": torch.ones(192)}}
    )
    assert close(vitviz.load(path)(pixels()), net(pixels()))


def test_a_head_without_a_bias(tmp_path):
    theirs = TimmViT(**SHAPE)
    theirs.head = nn.Linear(192, 5, bias=False)
    theirs = randomised(theirs)
    assert close(vitviz.load(saved(tmp_path / "a.pth", theirs.state_dict()))(pixels()), theirs(pixels()))


@pytest.mark.parametrize("place", ["vit.", "backbone."])
def test_a_classifier_beside_a_pooler_is_refused_with_a_way_out(place, tmp_path):
    weights = {key.removeprefix("vit."): value for key, value in hugging_face.random_weights(classes=0).items()}
    pooler = {"pooler.dense.weight": torch.ones(192, 192), "pooler.dense.bias": torch.ones(192)}
    head = {"classifier.weight": torch.ones(5, 192), "classifier.bias": torch.ones(5)}
    path = saved(tmp_path / "a.pth", {**prefixed({**weights, **pooler}, place), **head})
    with pytest.raises(ModelError, match="classes=0"):
        vitviz.load(path)
    assert close(vitviz.load(path, classes=0)(pixels()), hugging_face.forward(weights, pixels(), ""))


def test_a_classifier_of_a_classifiers_output_is_refused(original, tmp_path):
    net = randomised(Net(TimmViT(**SHAPE), fc=nn.Linear(5, 2)))
    with pytest.raises(ModelError, match="classes=0"):
        vitviz.load(saved(tmp_path / "a.pth", net.state_dict()))


def test_a_projector_and_no_classifier_is_a_vit(backbone, tmp_path):
    weights = {**prefixed(backbone.state_dict(), "backbone."), "projector.0.weight": torch.zeros(64, 192)}
    assert close(vitviz.load(saved(tmp_path / "a.pth", weights))(pixels()), backbone(pixels()))


@pytest.mark.parametrize("framework", ["timm", "torchvision"])
def test_a_dropout_in_the_classifier_is_nothing(framework, tmp_path):
    from torchvision.models import VisionTransformer

    if framework == "timm":
        theirs = TimmViT(**SHAPE)
        theirs.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(192, 3))
    else:
        theirs = VisionTransformer(64, 16, 2, 3, 192, 300, num_classes=5)
        theirs.heads = nn.Sequential(nn.Dropout(0.2), nn.Linear(192, 3))
    theirs = randomised(theirs)
    model, notes = notes_of(saved(tmp_path / "a.pth", theirs.state_dict()))
    assert model.config.num_classes == 3
    assert close(model(pixels()), theirs(pixels()))
    assert "dropout" in notes[0]


def test_a_classifier_of_two_layers_is_refused_with_a_way_out(tmp_path):
    from torchvision.models import VisionTransformer

    theirs = randomised(VisionTransformer(64, 16, 2, 3, 192, 300, num_classes=5, representation_size=64))
    path = saved(tmp_path / "a.pth", theirs.state_dict())
    with pytest.raises(ModelError, match="classes=0"):
        vitviz.load(path)
    theirs.heads = nn.Identity()
    assert close(vitviz.load(path, classes=0)(pixels()), theirs(pixels()))


def test_hugging_faces_classifier_behind_a_norm_of_ones_own_is_refused(tmp_path):
    weights = hugging_face.random_weights()
    path = saved(tmp_path / "a.pth", {**weights, "norm.weight": torch.ones(192), "norm.bias": torch.ones(192)})
    with pytest.raises(ModelError, match="classes=0"):
        vitviz.load(path)
    features = {key: value for key, value in weights.items() if "classifier" not in key}
    assert close(vitviz.load(path, classes=0)(pixels()), hugging_face.forward(features, pixels()))


# --- Missing information ---------------------------------------------------------------------------------------------


def test_an_assumed_number_of_heads_is_said_and_can_be_given(tmp_path):
    theirs = randomised(TimmViT(**{**SHAPE, "embed_dim": 384, "num_heads": 12}))
    path = saved(tmp_path / "a.pth", theirs.state_dict())
    with pytest.warns(VitvizWarning, match=mentions(6)):
        assumed = vitviz.load(path)
    assert assumed.config.num_heads == 6
    ours = vitviz.load(path, num_heads=12)
    assert not any("heads" in note for note in ours.notes)
    assert close(ours(pixels()), theirs(pixels()))


def test_what_else_is_assumed_is_said_and_what_is_told_is_not(original, tmp_path):
    path = saved(tmp_path / "a.pth", original.state_dict())
    with pytest.warns(VitvizWarning, match=mentions("GELU", "class token", "square")):
        vitviz.load(path, num_heads=3)
    told = {"num_attention_heads": 3, "hidden_act": "gelu", "image_size": 64, "global_pool": "token"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert vitviz.load(trainer_folder(tmp_path / "run", original.state_dict(), told, {"size": 64})).notes == ()


@pytest.mark.parametrize("heads", [0, -3, 5, 2.5, "6", True])
def test_a_number_of_heads_that_cannot_be_is_refused(heads, original, tmp_path):
    with pytest.raises(ModelError, match="heads"):
        vitviz.load(saved(tmp_path / "a.pth", original.state_dict()), num_heads=heads)
