"""vitviz compared with timm with hooks, torch-cam and captum."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor
from torchcam.methods import LeGrad
from torchvision.models import VisionTransformer as TorchvisionViT

import vitviz
from vitviz.analysis.attribution.baselines import baseline_pixels

from .library import PHOTO, check_alike, input_tensor, timm_model
from .measure import Row, interleaved, ratio_row

LIMIT = 1.05
TOLERANCE = 1e-2  # for maps from 0 to 1; random weights amplify rounding errors
STEPS = 32


def alternatives() -> Iterator[Row]:
    """Yield the three comparisons; each first checks that both sides agree."""
    yield all_attention()
    yield legrad()
    yield integrated_gradients()


def all_attention() -> Row:
    """Compare all attention weights of a forward pass, [layer, head, query, key], with timm's modules with hooks."""
    ours, theirs = vitviz.load("dinov2-small"), timm_model(224)
    image, captured = input_tensor(ours, 224), attention_hooks(theirs)

    def with_hooks() -> list[Tensor]:
        with torch.inference_mode():
            theirs(image[None])
        result = list(captured)
        captured.clear()  # both sides free their results, so that neither reuses memory in the next pass
        return result

    def with_vitviz() -> list[np.ndarray]:
        trace = ours.trace(image, record="blocks.*.attn.weights")
        return [trace.attention(layer) for layer in range(trace.layers)]

    for one, other in zip(with_vitviz(), with_hooks(), strict=True):
        check_alike(one, other[0].numpy())
    times = interleaved(with_vitviz, with_hooks, rounds=40, warm_up=5)
    return ratio_row("all attention of a pass against timm with hooks, 224 px", *times, ("vitviz", "timm"), LIMIT)


def attention_hooks(model: torch.nn.Module) -> list[Tensor]:
    """Make a timm model compute attention explicitly. Returns a list that each pass extends by the layers' weights."""
    captured = []
    for block in model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _module, _input, weights: captured.append(weights))
    return captured


def legrad() -> Row:
    """Compare LeGrad of a class with torch-cam, on a torchvision model with random weights."""
    shape = {"num_layers": 12, "num_heads": 6, "hidden_dim": 384, "mlp_dim": 1536}
    random = torch.Generator().manual_seed(0)
    theirs = TorchvisionViT(224, 14, **shape, num_classes=1000).eval()
    for parameter in theirs.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 20
    with tempfile.TemporaryDirectory() as folder:
        torch.save(theirs.state_dict(), Path(folder) / "theirs.pth")
        ours = vitviz.load(Path(folder) / "theirs.pth", num_heads=shape["num_heads"])
    return _legrad(ours, theirs, torch.randn(3, 224, 224, generator=random))


def _legrad(ours: vitviz.VisionTransformer, theirs: TorchvisionViT, image: Tensor) -> Row:
    target = vitviz.ClassTarget(2)
    cam = LeGrad(theirs, list(theirs.encoder.layers))

    def with_torchcam() -> Tensor:
        return cam(2, theirs(image[None]))[0][0]

    def with_vitviz() -> np.ndarray:
        return vitviz.explain(ours, image, method="legrad", target=target).map

    if np.abs(with_vitviz() - with_torchcam().numpy()).max() > TOLERANCE:
        raise RuntimeError("vitviz and torch-cam differ; make them agree before comparing their times.")
    times = interleaved(with_vitviz, with_torchcam, rounds=30, warm_up=3)
    return ratio_row("LeGrad against torch-cam, 224 px", *times, ("vitviz", "torch-cam"), LIMIT)


def integrated_gradients() -> Row:
    """Compare integrated gradients with captum, at equal numbers of steps and equal completeness."""
    ours, theirs = vitviz.load("dinov2-small"), timm_model(224)
    image = input_tensor(ours, 224)
    trace = ours.trace(image)
    other = vitviz.SimilarityTarget.of([ours.trace(PHOTO.with_name("flower.jpg"))], "the flower")
    start = baseline_pixels(trace, "blur")
    captum = LayerIntegratedGradients(lambda pixels: other(theirs(pixels)), theirs.patch_embed)

    def with_captum() -> Tensor:
        attribution = captum.attribute(image[None], start[None], n_steps=STEPS, internal_batch_size=4)
        return attribution.sum(dim=-1)[0]

    with torch.no_grad():
        rise = float(other(theirs(image[None])) - other(theirs(start[None])))
    missed = abs(float(with_captum().sum()) / rise - 1)

    def with_vitviz() -> np.ndarray:
        return vitviz.explain(
            ours, trace, method="integrated_gradients", target=other, steps=STEPS, completeness=None
        ).map

    ours_missed = abs(float(with_vitviz().sum()) / rise - 1)
    if ours_missed > missed + 1e-3:
        raise RuntimeError(f"vitviz misses completeness by {ours_missed:.1%} and captum by {missed:.1%}.")
    times = interleaved(with_vitviz, with_captum, rounds=8, warm_up=1)
    quantity = f"integrated gradients, {STEPS} steps, complete to {ours_missed:.1%}, against captum, 224 px"
    return ratio_row(quantity, *times, ("vitviz", "captum"), LIMIT)
