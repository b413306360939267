"""What the model would say if it stopped after a layer: the logit lens, for the whole image and patch by patch.

The residual stream after every block, and as it enters the first, is read as the model reads what leaves the last one:
by its final norm, its pooling and its head.

    nostalgebraist 2020, "interpreting GPT: the logit lens",
    https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens
    Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens",
    https://arxiv.org/abs/2303.08112, section 2

It is an approximation. The head was trained to read the last layer; blocks may turn and shift the stream on the way
there, so what a layer "says" in its middle may be a matter of the reading (Belrose et al. 2023, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import index as as_index

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError
from ..errors.arguments import array, at_least, checked_index, is_whole, shown, typed
from ..errors.brief import brief
from ..model.hooks import without_hooks
from ..model.precision import plain_arithmetic
from ..trace.trace import Trace
from ..trace.vision_transformer import VisionTransformer
from .arithmetic import unit
from .attribution.targets import Target, checked_target
from .predictions import class_index, probabilities
from .tokens import stream

AT_ONCE = 2**23  # numbers that a batch of patches may return: 32 MiB, whatever the number of classes

# A class, what another output is compared with, or whatever `explain` can explain.
Asked = int | str | np.ndarray | Target


@brief
@dataclass(frozen=True, eq=False)
class Lens:
    """What a model would return if it stopped before its first block, and after each of them.

    Attributes:
        model: whose norm, pooling and head read the stream; shared, never changed.
        outputs: float32 [1 + layer, out]: logits, or without a classifier features. Row 0 is what enters the first
            block, row i what leaves the i-th; the last one is the model's own output, to the bit.
    """

    model: VisionTransformer
    outputs: np.ndarray

    def probabilities(self) -> np.ndarray:
        """Probability of every class at every depth, float64 [1 + layer, class].

        Raises:
            ModelError: if the model has no classes, or its output is not finite.
        """
        return probabilities(self.model, self.outputs)

    def similarities(self, target: np.ndarray | None = None) -> np.ndarray:
        """Cosine of the output at every depth with a target, float32 [1 + layer], from -1 to 1.

        Args:
            target: such as another image's `Trace.output`, [out]; this image's own final output if None.

        Raises:
            ModelError: if the target does not have the output's shape.
        """
        return cosines(self.outputs, self.outputs[-1] if target is None else target)

    def leading(self, count: int = 5) -> tuple[int, ...]:
        """The `count` likeliest classes of the last layer, and then those that are the likeliest at any other depth.

        The latter come in the order in which they lead. Raises as `probabilities`.
        """
        likely = self.probabilities()
        last = np.argsort(-likely[-1], kind="stable")[: at_least(count, 1, "The number of classes")]
        return tuple(dict.fromkeys([*map(int, last), *map(int, self.tops())]))

    def tops(self) -> np.ndarray:
        """The likeliest class at every depth, int [1 + layer]. Raises as `probabilities`."""
        return self.probabilities().argmax(axis=1)

    def settled(self) -> int:
        """The first depth from which on the likeliest class is that of the last layer. Raises as `probabilities`."""
        tops = self.tops()
        differs = np.flatnonzero(tops != tops[-1])
        return int(differs[-1]) + 1 if len(differs) else 0


@typed
def lens(trace: Trace) -> Lens:
    """Read the residual stream at every depth as the model reads the last one.

    One depth at a time, in the shape of a forward pass, so that the last row is the model's own output to the bit. If
    the trace does not have the stream recorded (`residual_stream_names`), the model runs once more.

    Args:
        trace: what is looked at. Edits that were made by an `edit` above the last block are not made again.

    Raises:
        HookError: if the trace was made under an `edit` and the stream was not recorded.
    """
    with plain_arithmetic(), without_hooks(), torch.no_grad():
        read = [_read(trace.model, stage[None])[0] for stage in torch.from_numpy(stream(trace))]
    return Lens(trace.model, _frozen(torch.stack(read)))


@typed
def patch_lens(trace: Trace, target: Asked | None = None) -> np.ndarray:
    """What the head would say of each patch alone, at every depth.

    Each patch token is put in the place of what the head reads: a sequence is read in which every token is that one. So
    where the model reads the class token, the patch stands in its place; a mean is the patch itself; of class token and
    mean, and of class and distillation token, it is both; an attention pooling has nothing else to look at, and takes
    the patch's value with weight 1.

    Args:
        trace: what is looked at.
        target: a class, by its name or its number from 0, which may be negative; or a vector like the model's output,
            such as another image's `Trace.output`; or a target of `vitviz.analysis.attribution`, such as one class
            minus another, or the similarity to the mean of several images. If None, each patch is compared with what is
            read from itself at the end.

    Returns:
        float32 [1 + layer, row, column]: the class's probability, 0 to 1; the cosine with the vector, -1 to 1; or what
        the target says of an output.

    Raises:
        ModelError: if a class is asked for and the model has none, or a vector of another shape.
        IndexError: if there is no such class.
        HookError: as `lens`.
    """
    stages = torch.from_numpy(stream(trace))[:, trace.prefix :]
    batches = torch.arange(stages.shape[1]).split(max(1, AT_ONCE // max(1, trace.output.size)))
    with plain_arithmetic(), without_hooks(), torch.no_grad():
        if target is None:
            maps = np.concatenate([_with_its_end(trace.model, stages[:, some]) for some in batches], axis=1)
        else:
            score = _scorer(trace, target)
            read = [[score(_read_alone(trace.model, stage[some])) for some in batches] for stage in stages]
            maps = np.stack([np.concatenate(of_stage) for of_stage in read])
    return maps.reshape(len(maps), *trace.grid).astype(np.float32)


@typed
@typed
def depth_words(depth: int) -> str:
    """What a depth is called on screen: `"before layer 1"`, `"after layer 12"`."""
    return f"after layer {depth}" if at_least(depth, 0, "A depth") else "before layer 1"


@typed
def cosines(outputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Cosine of each of many vectors [..., out] with one [out], float32; 0 where a vector is zero.

    Raises:
        ModelError: if the target is not such a vector, or numbers are not finite.
    """
    outputs = array(outputs, "..., out", "Outputs", finite=False)
    target = array(target, "...", "The numbers of the target", finite=False, empty=True)
    if target.shape != outputs.shape[-1:]:
        raise ModelError(
            f"A target of shape {list(target.shape)} cannot be compared with outputs of {outputs.shape[-1]} numbers; "
            "take an output of the same model."
        )
    if not np.isfinite(target).all():
        raise ModelError("The target has numbers that are not finite; take an output of the same model.")
    if not np.isfinite(outputs).all():
        raise ModelError("The model returns numbers that are not finite; check its weights.")
    return (unit(outputs) @ unit(target)).clip(-1, 1).astype(np.float32)


def _read(model: VisionTransformer, x: Tensor) -> Tensor:
    """From the stream [batch, token, D] to what the model makes of it, [batch, out]."""
    return model.readout(model.norm(x))


def _read_alone(model: VisionTransformer, patches: Tensor) -> np.ndarray:
    """What the model makes of each token [patch, D] alone: of a sequence that is that token again and again."""
    alone = model.norm(patches)[:, None].expand(-1, model.config.num_prefix_tokens + 1, -1)
    return model.readout(alone).numpy()


def _with_its_end(model: VisionTransformer, stages: Tensor) -> np.ndarray:
    """Cosines of what is read from patches [stage, patch, D] with what is read from each in the last stage."""
    read = [_read_alone(model, stage) for stage in stages]
    if not all(np.isfinite(one).all() for one in read):
        raise ModelError("The model returns numbers that are not finite; check its weights.")
    last = unit(read[-1])
    return np.stack([(unit(one) * last).sum(axis=-1) for one in read]).clip(-1, 1)


def _scorer(trace: Trace, target: Asked):
    """What turns outputs [batch, out] into the numbers of the map, [batch]."""
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
            f"A lens is asked about a class, an output or a vitviz.analysis.attribution.Target, not {shown(target)}."
        )
    wanted = as_index(target)
    if model.is_classifier:
        wanted = checked_index(wanted, model.config.num_classes, "class")
    return lambda outputs: probabilities(model, outputs)[:, wanted]


def _frozen(tensor: Tensor) -> np.ndarray:
    array = tensor.numpy()
    array.flags.writeable = False
    return array
