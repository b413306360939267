"""One function for all methods, and what it returns."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature

import numpy as np
import torch
from torch import Tensor

from ...errors import HookError, ModelError, VitvizError
from ...errors.arguments import of_kind, one_of
from ...errors.brief import brief
from ...images import Prepared, Size
from ...model.hooks import is_edited, undisturbed
from ...model.precision import check_numbers, plain_arithmetic
from ...trace.absent import check_same_model
from ...trace.inputs import ImageSource, checked_tensor, prepared_for
from ...trace.passes import is_recorded, trace_with_graph
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from .gradient_attention import gradient_attention
from .integrated_gradients import integrated_gradients
from .last_attention import last_attention
from .layerwise import Graph, graph_names, keeps_graph, stream_names
from .legrad import legrad
from .occlusion import occlusion
from .progress import Progress
from .rollout import rollout
from .targets import AnyTarget, checked_target, value_of

_COMPUTE: dict[str, Callable[..., Tensor]] = {
    "attention": last_attention,
    "rollout": rollout,
    "gradient_attention": gradient_attention,
    "legrad": legrad,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
}
METHODS: tuple[str, ...] = tuple(_COMPUTE)
_READ_THE_TRACE = {"attention", "rollout"}  # and run no model
_BY_LAYER = {"gradient_attention", "legrad"}
_SIGNED = {"integrated_gradients", "occlusion"}


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
    `last_attention`, `rollout`, `gradient_attention`, `legrad`, `integrated_gradients` and `occlusion` in the files of
    those names.

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
    compute = _COMPUTE[one_of(method, METHODS, "method")]
    in_force = _in_force(method, parameters)
    check_numbers(model)
    with plain_arithmetic(), torch.enable_grad():
        trace, graph = _traced(model, image, size, fit, method)
        targeted = "target" in signature(compute).parameters
        explained = checked_target(target, trace) if targeted or target is not None else None
        explained = explained if targeted else None
        value = float("nan") if explained is None else value_of(explained, trace)
        given = {"trace": trace, "target": explained, "progress": progress, "graph": graph}
        found = compute(**{name: given[name] for name in signature(compute).parameters if name in given}, **in_force)
    return Attribution(
        map=_finished(found, model),
        method=method,
        target="" if explained is None else explained.words,
        parameters=in_force,
        seconds=time.perf_counter() - start,
        signed=method in _SIGNED or (method == "attention" and model.config.differential),
        value=value,
    )


def records(method: str, depth: int) -> tuple[str, ...]:
    """Hook points that a method reads: a trace of `depth` layers that recorded them spares it a forward pass."""
    return stream_names(depth) if method in _BY_LAYER else ()


def _in_force(method: str, given: dict[str, object]) -> dict[str, object]:
    """The parameters of a method with what was given in place of their defaults; refuse what it does not have."""
    own = signature(_COMPUTE[method]).parameters.values()
    defaults = {one.name: one.default for one in own if one.kind is Parameter.KEYWORD_ONLY}
    unknown = [name for name in given if name not in defaults]
    if unknown:
        has = f"has {', '.join(defaults)}" if defaults else "has none"
        raise VitvizError(f"{method} has no parameter {unknown[0]!r}; it {has}.")
    return defaults | given


def _traced(
    model: VisionTransformer, image: ImageSource | Trace, size: Size | None, fit: str | None, method: str
) -> tuple[Trace, Graph | None]:
    """A trace that the method can work on, and the graph of its pass for methods that need it, if it can be kept.

    What was made under an edit is refused, which a second pass would not have.
    """
    if not isinstance(image, Trace):
        if is_edited() and method not in _READ_THE_TRACE:
            raise HookError(f"{method} runs the model again and again, without edits; leave the edit first.")
        if method not in _BY_LAYER:
            return model.trace(image, size=size, fit=fit), None
        seen = checked_tensor(image) if isinstance(image, Tensor) else prepared_for(model, image, size, fit)
        if _keeps_graph(model, seen):
            return trace_with_graph(model, seen, graph_names(model.config.depth))
        return model.trace(seen, record=records(method, model.config.depth)), None
    check_same_model(image, model, ModelError)
    if image.edited and method not in _READ_THE_TRACE:
        raise HookError(f"This trace was made under an edit, without which {method} runs the model; trace it again.")
    is_at_hand = image.edits or is_recorded(image, records(method, model.config.depth))
    if method not in _BY_LAYER or is_at_hand or not _keeps_graph(model, image.seen):
        return image, None
    with undisturbed():
        return image, trace_with_graph(model, image.seen, graph_names(model.config.depth))[1]


def _keeps_graph(model: VisionTransformer, seen: Prepared | Tensor) -> bool:
    rows, columns = model.grid_of(seen[None]) if isinstance(seen, Tensor) else seen.geometry.grid
    return keeps_graph(model.config, model.config.prefix + rows * columns)


def _finished(found: Tensor, model: VisionTransformer) -> np.ndarray:
    found = found.detach().numpy().astype(np.float32, copy=True)
    if not np.isfinite(found).all():
        raise ModelError(f"{model.name!r} returns numbers that are not finite; check its weights.")
    found.flags.writeable = False
    return found
