"""Attribution maps: rollout, occlusion, integrated gradients, LeGrad, and Grad-CAM for scale."""

from collections.abc import Iterator

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients, Occlusion
from torch import Tensor
from torchcam.methods import LeGrad

import vitviz
from vitviz.analysis.attribution.baselines import baseline_pixels
from vitviz.analysis.attribution.targets import ProjectionTarget

from ..library import PHOTO, input_tensor, timm_model
from .comparison import Arrays, Pair
from .conversions import as_torchvision

WINDOWS = {224: (4, 4), 518: (13, 12)}  # side and step in patches; divide the grid as captum's windows must
STEPS = {224: 16, 518: 4}
AT_ONCE = {224: 4, 518: 1}  # images per batch of captum, about as many tokens as in vitviz
EVALUATIONS = 8


class Task:
    """Image, model and target that all comparisons of one input size share.

    Attributes:
        size: side of the input, pixels.
        model: shipped model in vitviz.
        timm: the same model in timm, with fused attention.
        image: input, [channel, H, W].
        target: projection of the output on the feature of another image, which every tool can compute.
    """

    def __init__(self, size: int):
        self.size = size
        self.model, self.timm = vitviz.load("dinov2-small"), timm_model(size)
        self.image = input_tensor(self.model, size)
        flower = self.model.trace(PHOTO.with_name("flower.jpg"), size=size)
        self.target = ProjectionTarget(flower.output, "the flower")

    @property
    def side(self) -> int:
        """Number of patches per row and column."""
        return self.size // self.model.config.patch_size

    def explain(self, method: str, **parameters: object) -> Arrays:
        """Return the map of vitviz's method, including the forward pass."""
        return [vitviz.explain(self.model, self.image, method=method, target=self.target, **parameters).map]

    def value(self, pixels: Tensor) -> Tensor:
        """Return timm's value of the target, [batch]."""
        return self.target(self.timm(pixels))


def rollout(size: int) -> Iterator[Pair]:
    """Yield the comparison of attention rollout."""
    from fast_vit_rollout.vit_rollout import ViTAttentionRollout

    task = Task(size)
    for block in task.timm.blocks:
        block.attn.fused_attn = False
    theirs = ViTAttentionRollout(task.timm, head_fusion="mean", discard_ratio=0)

    def by_fast_vit_rollout() -> Arrays:
        return [theirs(task.image[None])[0, 0, 1:].reshape(task.side, task.side).numpy()]

    yield Pair(
        "rollout",
        size,
        "fast-vit-rollout",
        lambda: task.explain("rollout"),
        by_fast_vit_rollout,
        goal=0.7 if size > 224 else 1.0,
        why="vitviz multiplies a vector with each matrix, fast-vit-rollout two matrices; at 224 px, the pass itself "
        "takes most of the time.",
    )


def occlusion(size: int) -> Iterator[Pair]:
    """Yield the comparison of occlusion by the mean colour."""
    task, patch = Task(size), 14
    window, stride = WINDOWS[size]
    mean = baseline_pixels(task.model.trace(task.image), "mean")[None]
    theirs = Occlusion(task.value)

    def by_captum() -> Arrays:
        with torch.inference_mode():
            attribution = theirs.attribute(
                task.image[None],
                sliding_window_shapes=(3, window * patch, window * patch),
                strides=(3, stride * patch, stride * patch),
                baselines=mean,
                perturbations_per_eval=EVALUATIONS,
            )
        return [attribution[0, 0, ::patch, ::patch].numpy()]

    yield Pair(
        f"occlusion, windows of {window} × {window} patches",
        size,
        f"captum, {EVALUATIONS} images per batch",
        lambda: task.explain("occlusion", window=window, stride=stride),
        by_captum,
        why="Both run one forward pass for each window and one for the whole image.",
    )


def integrated_gradients(size: int) -> Iterator[Pair]:
    """Yield the comparison of integrated gradients with equal numbers of steps of the same quadrature."""
    task, steps = Task(size), STEPS[size]
    start = baseline_pixels(task.model.trace(task.image), "blur")[None]
    theirs = LayerIntegratedGradients(task.value, task.timm.patch_embed)

    def by_captum() -> Arrays:
        attribution = theirs.attribute(
            task.image[None], start, n_steps=steps, internal_batch_size=AT_ONCE[size], method="gausslegendre"
        )
        return [attribution.detach().sum(dim=-1)[0].reshape(task.side, task.side).numpy()]

    yield Pair(
        f"integrated gradients, {steps} steps",
        size,
        f"captum, {AT_ONCE[size]} images per batch",
        lambda: task.explain("integrated_gradients", steps=steps, completeness=None),
        by_captum,
        why="Both run one forward and one backward pass for each step.",
    )


def legrad(size: int) -> Iterator[Pair]:
    """Yield the comparison of LeGrad, in torchvision's model with LayerScale multiplied into the weights."""
    task = Task(size)
    feature = torch.tensor(task.target.feature)
    theirs = as_torchvision(task.timm, (feature / feature.square().sum())[None]).requires_grad_(False)
    cam = LeGrad(theirs, list(theirs.encoder.layers))

    def by_torchcam() -> Arrays:
        return [cam(0, theirs(task.image[None]))[0][0].detach().numpy()]

    yield Pair(
        "LeGrad",
        size,
        "torch-cam, torchvision's model",
        lambda: task.explain("legrad"),
        by_torchcam,
        tolerance=1e-3,
        why="Above about 300 tokens, vitviz runs each block a second time instead of keeping the graph of the pass."
        if size > 224
        else "Both differentiate each layer's own readout.",
    )


def gradient_map(size: int) -> Iterator[Pair]:
    """Yield the times of a map from gradients: gradient × attention here, Grad-CAM there (vitviz has no Grad-CAM)."""
    from pytorch_grad_cam import GradCAM

    task = Task(size)
    feature = torch.tensor(task.target.feature)

    def as_feature_map(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].transpose(1, 2).unflatten(2, (task.side, task.side))

    theirs = GradCAM(task.timm, [task.timm.blocks[-1].norm1], reshape_transform=as_feature_map)

    def by_grad_cam() -> Arrays:
        return [np.asarray(theirs(task.image[None], [lambda output: (output * feature).sum()])[0])]

    yield Pair(
        "map from gradients: gradient × attention, Grad-CAM of the last block",
        size,
        "pytorch-grad-cam, timm's model",
        lambda: task.explain("gradient_attention"),
        by_grad_cam,
        same=False,
        why="No method of pytorch-grad-cam is one of vitviz; the times show the cost of one map.",
    )
