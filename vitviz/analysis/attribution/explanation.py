"""One function for all methods, and what it returns."""

import time
from dataclasses import dataclass
from inspect import signature

import numpy as np
import torch
from torch import Tensor

from ...errors import HookError, ModelError
from ...errors.arguments import of_kind, one_of
from ...errors.brief import brief
from ...errors.progress import Progress
from ...images import Prepared, Size
from ...model.hooks import is_edited, without_hooks
from ...model.precision import check_numbers, plain_arithmetic
from ...trace.inputs import ImageSource, checked_tensor, prepared_for
from ...trace.model_stub import check_same_model
from ...trace.passes import is_recorded, trace_with_graph
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from .layerwise import Graph, graph_names, keeps_graph, stream_names
from .method import Method
from .methods import METHODS
from .targets import AnyTarget, checked_target, value_of


@brief
@dataclass(frozen=True, eq=False)
class Attribution:
    """Which patches mattered.

    Attributes:
        map: one number a patch, float32 [rows, columns], read-only.
        method: one of `METHODS`.
        target: what is explained, in words; `""` for methods that explain no target (attention, rollout).
        parameters: all parameters of the method that were in force, defaults included.
        seconds: how long it took, the forward pass included if no trace was given.
        signed: whether the map may be negative.
        value: what the target is for this image: a logit, a difference of logits, a cosine; not a number (NaN) for
            methods that explain no target.
    """

    map: np.ndarray
    method: str
    target: str
    parameters: dict[str, object]
    seconds: float
    signed: bool
    value: float

    @property
    def strongest(self) -> tuple[int, int]:
        """Row and column, from 0, of the patch whose number is the largest in size, whatever its sign."""
        row, column = np.unravel_index(np.abs(self.map).argmax(), self.map.shape)
        return int(row), int(column)


def explain(
    model: VisionTransformer,
    image: ImageSource | Trace,
    *,
    method: str = "gradient_attention",
    target: AnyTarget | None = None,
    progress: Progress | None = None,
    size: Size | None = None,
    fit: str | None = None,
    **parameters: object,
) -> Attribution:
    """Say which patches of an image mattered for what a model made of it.

    The model is not changed and may be shared between threads. The methods, each with its source and parameters, are
    in the files of their names beside this one.

    Args:
        model: the model.
        image: what `model.trace` accepts, or a trace of this model, whose pixels are then used as they are.
        method: one of `METHODS`.
        target: what is explained: a class by its number or its name, or a `Target` such as `DifferenceTarget("cat",
            "dog")`; the likeliest class if it is not given. For models without classes it is then how much of the
            image's own feature there is, which is 1 (not the cosine with it: that is at its maximum, so it has no
            gradient). Attention and rollout explain none; one that is given is checked and not used.
        progress: called by the slow methods (integrated gradients, occlusion) with how much is done and how much there
            is; what it raises stops them.
        size: as in `model.trace`.
        fit: as in `model.trace`.
        **parameters: those of the method.

    Raises:
        ImageError: if the image, the size or the fit cannot be used.
        ModelError: if the model cannot be explained by this method, or does not have this target.
        IndexError: if a class, a layer or a head is out of range.
        HookError: if the trace was made under an `edit`, or one is in force, and the method runs the model again.
        VitvizError: if there is no such method or parameter, or a parameter is not possible.
    """
    start = time.perf_counter()
    of_kind(model, VisionTransformer, "model")
    of_kind(progress, Progress | None, "progress")
    chosen = METHODS[one_of(method, tuple(METHODS), "method")]
    in_force = chosen.in_force(parameters)
    check_numbers(model)
    with plain_arithmetic(), torch.enable_grad():
        trace, graph = _traced(model, image, size, fit, chosen)
        explained = checked_target(target, trace) if chosen.targeted or target is not None else None
        explained = explained if chosen.targeted else None
        value = float("nan") if explained is None else value_of(explained, trace)
        given = {"trace": trace, "target": explained, "progress": progress, "graph": graph}
        taken = {name: given[name] for name in signature(chosen.explain).parameters if name in given}
        found = chosen.explain(**taken, **in_force)
    return Attribution(
        map=_finished(found, model),
        method=method,
        target="" if explained is None else explained.words,
        parameters=in_force,
        seconds=time.perf_counter() - start,
        signed=chosen.is_signed(model.config),
        value=value,
    )


def records(method: str, depth: int) -> tuple[str, ...]:
    """Hook points that a method reads: a trace of `depth` layers that recorded them spares it a forward pass."""
    return stream_names(depth) if METHODS[method].by_layer else ()


def _traced(
    model: VisionTransformer, image: ImageSource | Trace, size: Size | None, fit: str | None, method: Method
) -> tuple[Trace, Graph | None]:
    """A trace that the method can work on, and the graph of its pass for methods that need it, if it can be kept.

    What was made under an edit is refused, which a second pass would not have.
    """
    if not isinstance(image, Trace):
        if is_edited() and method.runs_model:
            raise HookError(f"{method.name} runs the model again and again, without edits; leave the edit first.")
        if not method.by_layer:
            return model.trace(image, size=size, fit=fit), None
        seen = checked_tensor(image) if isinstance(image, Tensor) else prepared_for(model, image, size, fit)
        if _keeps_graph(model, seen):
            return trace_with_graph(model, seen, graph_names(model.config.depth))
        return model.trace(seen, record=records(method.name, model.config.depth)), None
    check_same_model(image, model, ModelError)
    if image.edited and method.runs_model:
        raise HookError(
            f"This trace was made under an edit, without which {method.name} runs the model; trace it again."
        )
    is_at_hand = image.edits or is_recorded(image, records(method.name, model.config.depth))
    if not method.by_layer or is_at_hand or not _keeps_graph(model, image.model_input):
        return image, None
    with without_hooks():
        return image, trace_with_graph(model, image.model_input, graph_names(model.config.depth))[1]


def _keeps_graph(model: VisionTransformer, seen: Prepared | Tensor) -> bool:
    rows, columns = model.grid_of(seen[None]) if isinstance(seen, Tensor) else seen.geometry.grid
    return keeps_graph(model.config, model.config.num_prefix_tokens + rows * columns)


def _finished(found: Tensor, model: VisionTransformer) -> np.ndarray:
    found = found.detach().numpy().astype(np.float32, copy=True)
    if not np.isfinite(found).all():
        raise ModelError(f"{model.name!r} returns numbers that are not finite; check its weights.")
    found.flags.writeable = False
    return found
