"""Logit lens: the model's output read from the residual stream at every depth, for the whole image and for each patch.

The final norm, the pooling and the head are applied to the residual stream before the first block and after each block,
as the model applies them after the last.

    nostalgebraist 2020, "interpreting GPT: the logit lens",
    https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens
    Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens",
    https://arxiv.org/abs/2303.08112, section 2

This is an approximation. The head was trained on the last layer, and blocks may rotate and shift the stream before it,
so predictions at middle layers may be artefacts of the lens (Belrose et al. 2023, section 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index as as_index
from typing import overload

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError
from ..errors.arguments import array, at_least, checked_index, is_whole, shown, typed
from ..errors.brief import brief
from ..model.config import POOL
from ..model.hooks import without_hooks
from ..model.precision import as_input, as_result, plain_arithmetic
from ..trace.passes import edits_of
from ..trace.trace import Trace
from ..trace.vision_transformer import VisionTransformer
from .arithmetic import unit
from .attribution.targets import Target, checked_target
from .predictions import class_index, probabilities
from .tokens import stream

AT_ONCE = 2**23  # output values per batch of patches: 32 MiB, for any number of classes

# A class index or name, an output to compare with, or a target of `explain`.
LensTarget = int | str | np.ndarray | Target


@brief
@dataclass(frozen=True, eq=False)
class Lens:
    """Model outputs read from the residual stream before the first block and after each block.

    Attributes:
        model: model whose norm, pooling and head are applied; shared, never changed.
        outputs: logits, or features if there is no classifier, float32 [1 + layer, out]. Row 0 is read before the first
            block, row i after the i-th block; the last row is bit-identical to the model's output.
    """

    model: VisionTransformer
    outputs: np.ndarray

    def probabilities(self) -> np.ndarray:
        """Return the probability of every class at every depth, float64 [1 + layer, class].

        Raises:
            ModelError: if the model has no classes, or its output is not finite.
        """
        return probabilities(self.model, self.outputs)

    def similarities(self, target: np.ndarray | None = None) -> np.ndarray:
        """Return the cosine similarity of the output at every depth with a target, float32 [1 + layer], from -1 to 1.

        Args:
            target: output to compare with, [out], such as another image's `Trace.output`; by default this image's
                final output.

        Raises:
            ModelError: if the target does not have the output's shape.
        """
        return cosines(self.outputs, self.outputs[-1] if target is None else target)

    def leading(self, count: int = 5) -> tuple[int, ...]:
        """Return the top `count` classes of the last layer, then the top-1 classes of all other depths.

        The latter are in order of depth. Raises as `probabilities`.
        """
        likely = self.probabilities()
        last = np.argsort(-likely[-1], kind="stable")[: at_least(count, 1, "The number of classes")]
        return tuple(dict.fromkeys([*map(int, last), *map(int, self.tops())]))

    def tops(self) -> np.ndarray:
        """Return the top-1 class at every depth, int [1 + layer]. Raises as `probabilities`."""
        return self.probabilities().argmax(axis=1)

    def settled(self) -> int:
        """Return the depth from which on the top-1 class is that of the last layer. Raises as `probabilities`."""
        tops = self.tops()
        differs = np.flatnonzero(tops != tops[-1])
        return int(differs[-1]) + 1 if len(differs) else 0


@overload
def lens(trace: Trace) -> Lens: ...


@overload
def lens(trace: Sequence[Trace]) -> list[Lens]: ...


@typed
def lens(trace: Trace | Sequence[Trace]) -> Lens | list[Lens]:
    """Apply the logit lens to the residual stream at every depth.

    Depths are processed one at a time, with the shapes of a forward pass, so the last row is bit-identical to the
    model's output. If the trace has not recorded the residual stream (`residual_stream_names`), the model runs once.

    Args:
        trace: trace of the image. Edits above the last block, made with `edit`, are not applied again. A list of
            traces gives a list of results.

    Raises:
        HookError: if the trace was made under an `edit` and the stream was not recorded.
    """
    if not isinstance(trace, Trace):
        return [lens(one) for one in trace]
    with plain_arithmetic(), without_hooks(), torch.no_grad(), edits_of(trace, POOL, "norm"):
        outputs = [_output(trace.model, stage[None])[0] for stage in torch.from_numpy(stream(trace))]
    return Lens(trace.model, _frozen(torch.stack(outputs)))


@typed
def patch_lens(trace: Trace, target: LensTarget | None = None) -> np.ndarray:
    """Apply the logit lens to each patch token alone, at every depth.

    The readout is applied to a sequence in which every token is the patch token. So the patch takes the place of a
    class token or distillation token, the mean is the patch itself, and an attention pooling takes its value with
    weight 1.

    Args:
        trace: trace of the image.
        target: a class name or a class index, from 0 or negative; or an output to compare with, such as another image's
            `Trace.output`; or a target of `vitviz.analysis.attribution`, such as one class minus another, or the
            similarity to the mean of several images. By default, each patch is compared with its own output after the
            last block.

    Returns:
        float32 [1 + layer, row, column]: probability of the class, 0 to 1; cosine similarity with the output, -1 to 1;
        or value of the target.

    Raises:
        ModelError: if the model does not have the class, or the output to compare with has another shape.
        IndexError: if the class index is out of range.
        HookError: as `lens`.
    """
    stages = torch.from_numpy(stream(trace))[:, trace.prefix :]
    batches = torch.arange(stages.shape[1]).split(max(1, AT_ONCE // max(1, trace.output.size)))
    with plain_arithmetic(), without_hooks(), torch.no_grad():
        if target is None:
            maps = np.concatenate([_similarity_to_last(trace.model, stages[:, some]) for some in batches], axis=1)
        else:
            score = _scorer(trace, target)
            scores = [[score(_output_alone(trace.model, stage[some])) for some in batches] for stage in stages]
            maps = np.stack([np.concatenate(of_stage) for of_stage in scores])
    return maps.reshape(len(maps), *trace.grid).astype(np.float32)


@typed
def depth_label(depth: int) -> str:
    """Return the name of a depth on screen, such as `"before layer 1"` or `"after layer 12"`."""
    return f"after layer {depth}" if at_least(depth, 0, "A depth") else "before layer 1"


@typed
def cosines(outputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute cosine similarities of outputs [..., out] with a target [out], float32 [...]; 0 for zero vectors.

    Raises:
        ModelError: if the target has another shape, or values are not finite.
    """
    outputs = array(outputs, "..., out", "Outputs", finite=False)
    target = array(target, "...", "The values of the target", finite=False, empty=True)
    if target.shape != outputs.shape[-1:]:
        raise ModelError(
            f"A target of shape {list(target.shape)} cannot be compared with outputs of {outputs.shape[-1]} values; "
            "give an output of the same model."
        )
    if not np.isfinite(target).all():
        raise ModelError("The target has numbers that are not finite; give an output of the same model.")
    if not np.isfinite(outputs).all():
        raise ModelError("The model returns numbers that are not finite; check its weights.")
    return (unit(outputs) @ unit(target)).clip(-1, 1).astype(np.float32)


def _output(model: VisionTransformer, x: Tensor) -> Tensor:
    """Compute the output, [batch, out], from the residual stream, [batch, token, D]."""
    return as_result(model.readout(model.normed(model.norm(as_input(x, model)))))


def _output_alone(model: VisionTransformer, patches: Tensor) -> np.ndarray:
    """Compute the output, [patch, out], of each token [patch, D] alone, repeated to a sequence."""
    repeated = model.norm(as_input(patches, model))[:, None].expand(-1, model.config.num_prefix_tokens + 1, -1)
    return as_result(model.readout(repeated)).numpy()


def _similarity_to_last(model: VisionTransformer, stages: Tensor) -> np.ndarray:
    """Compute cosine similarities between outputs of patches [stage, patch, D] and those at the last stage."""
    outputs = [_output_alone(model, stage) for stage in stages]
    if not all(np.isfinite(one).all() for one in outputs):
        raise ModelError("The model returns numbers that are not finite; check its weights.")
    last = unit(outputs[-1])
    return np.stack([(unit(one) * last).sum(axis=-1) for one in outputs]).clip(-1, 1)


def _scorer(trace: Trace, target: LensTarget):
    """Return a function from outputs [batch, out] to values of the map, [batch]."""
    model = trace.model
    if isinstance(target, str):
        target = class_index(model, target)
    if isinstance(target, Target):
        target = checked_target(target, trace)
        return lambda outputs: target(torch.tensor(outputs)).numpy()
    if isinstance(target, np.ndarray) and target.ndim:
        return lambda outputs: cosines(outputs, target)
    if not is_whole(target):
        raise ModelError(
            "The target of a lens has to be a class, an output or a vitviz.analysis.attribution.Target, not "
            f"{shown(target)}."
        )
    index = as_index(target)
    if model.is_classifier:
        index = checked_index(index, model.config.num_classes, "class")
    return lambda outputs: probabilities(model, outputs)[:, index]


def _frozen(tensor: Tensor) -> np.ndarray:
    array = tensor.numpy()
    array.flags.writeable = False
    return array
