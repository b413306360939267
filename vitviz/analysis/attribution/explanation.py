"""Function `explain`, which runs any attribution method, and its result."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import overload

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
from ...trace.batches import trace_batch
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
    """Result of an attribution method.

    Attributes:
        map: one number per patch, float32 [rows, columns], read-only.
        method: name of the method, one of `METHODS`.
        target: label of the target; `""` for methods without a target (attention, rollout).
        parameters: all parameters of the method, defaults included.
        seconds: run time, including the forward pass if no trace was given. For a list of images that share forward
            passes, these are not included.
        signed: whether the map may contain negative values.
        value: value of the target for this image, such as a logit, a difference of logits or a cosine; NaN for
            methods without a target.
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
        """Row and column, from 0, of the patch with the largest absolute value."""
        row, column = np.unravel_index(np.abs(self.map).argmax(), self.map.shape)
        return int(row), int(column)


@overload
def explain(
    model: VisionTransformer,
    image: ImageSource | Trace,
    *,
    method: str = ...,
    target: AnyTarget | None = ...,
    progress: Progress | None = ...,
    size: Size | None = ...,
    fit: str | None = ...,
    **parameters: object,
) -> Attribution: ...


@overload
def explain(
    model: VisionTransformer,
    image: Sequence[ImageSource | Trace],
    *,
    method: str = ...,
    target: AnyTarget | None = ...,
    progress: Progress | None = ...,
    size: Size | None = ...,
    fit: str | None = ...,
    **parameters: object,
) -> list[Attribution]: ...


def explain(
    model: VisionTransformer,
    image: ImageSource | Trace | Sequence[ImageSource | Trace],
    *,
    method: str = "gradient_attention",
    target: AnyTarget | None = None,
    progress: Progress | None = None,
    size: Size | None = None,
    fit: str | None = None,
    **parameters: object,
) -> Attribution | list[Attribution]:
    """Attribute a model's output to the patches of an image.

    The model is not changed and may be shared between threads. Each method is documented in its own module, with its
    source and parameters.

    Args:
        model: the model.
        image: any input of `model.trace`, or a trace of this model, whose pixels are used unchanged. The edits of a
            trace also apply to further passes of the method. A list of these gives a list of results, one after the
            other; images whose method needs no gradients share forward passes.
        method: one of `METHODS`.
        target: a class index or name, or a `Target` such as `DifferenceTarget("cat", "dog")`. The default is the top-1
            class; for models without classes it is the projection on the image's own feature, which is 1 (not the
            cosine: it has its maximum there, and therefore no gradient). Attention and rollout have no target: it is
            checked and ignored.
        progress: callback of the slow methods (integrated gradients, occlusion), called with the number of steps done
            and their total number (of each image, for a list); an exception in it stops the method.
        size: as in `model.trace`.
        fit: as in `model.trace`.
        **parameters: parameters of the method.

    Raises:
        ImageError: if the image, the size or the fit cannot be used.
        ModelError: if the method does not support the model, or the model does not have the target.
        IndexError: if a class, a layer or a head is out of range.
        HookError: if the trace was made under an `edit`, or an edit is active, and the method runs the model again.
        VitvizError: if the method or a parameter is unknown, or a parameter has an invalid value.
    """
    of_kind(model, VisionTransformer, "model")
    of_kind(progress, Progress | None, "progress")
    chosen = METHODS[one_of(method, tuple(METHODS), "method")]
    if isinstance(image, list | tuple):
        options = {"method": method, "target": target, "progress": progress, "size": size, "fit": fit, **parameters}
        shares_passes = not chosen.by_layer and not any(isinstance(one, Trace) for one in image)
        images = trace_batch(model, image, size=size, fit=fit) if shares_passes else image
        return [explain(model, one, **options) for one in images]
    start = time.perf_counter()
    settings = chosen.with_defaults(parameters)
    check_numbers(model)
    with plain_arithmetic(), torch.enable_grad():
        trace, graph = _traced(model, image, size, fit, chosen)
        explained = checked_target(target, trace) if chosen.targeted or target is not None else None
        explained = explained if chosen.targeted else None
        value = float("nan") if explained is None else value_of(explained, trace)
        available = {"trace": trace, "target": explained, "progress": progress, "graph": graph}
        inputs = {name: available[name] for name in signature(chosen.explain).parameters if name in available}
        values = chosen.explain(**inputs, **settings)
    return Attribution(
        map=_as_map(values, model),
        method=method,
        target="" if explained is None else explained.label,
        parameters=settings,
        seconds=time.perf_counter() - start,
        signed=chosen.is_signed(model.config),
        value=value,
    )


def records(method: str, depth: int) -> tuple[str, ...]:
    """Return the hook points that a method reads in a model of `depth` layers.

    A trace that has recorded them saves the method a forward pass.
    """
    return stream_names(depth) if METHODS[method].by_layer else ()


def _traced(
    model: VisionTransformer, image: ImageSource | Trace, size: Size | None, fit: str | None, method: Method
) -> tuple[Trace, Graph | None]:
    """Return a trace for the method and, for methods that need it, the graph of its pass if it fits into memory.

    Edited traces are refused if the method runs the model, because the edit would be missing from the second pass.
    """
    if not isinstance(image, Trace):
        if is_edited() and method.runs_model:
            raise HookError(f"{method.name} runs the model again, without edits; leave the edit first.")
        if not method.by_layer:
            return model.trace(image, size=size, fit=fit), None
        model_input = checked_tensor(image) if isinstance(image, Tensor) else prepared_for(model, image, size, fit)
        if _keeps_graph(model, model_input):
            return trace_with_graph(model, model_input, graph_names(model.config.depth))
        return model.trace(model_input, record=records(method.name, model.config.depth)), None
    check_same_model(image, model, ModelError)
    if image.edited and method.runs_model:
        raise HookError(
            f"This trace was made under an edit, but {method.name} runs the model without it; trace it again."
        )
    suffices = image.edits or is_recorded(image, records(method.name, model.config.depth))
    if not method.by_layer or suffices or not _keeps_graph(model, image.model_input):
        return image, None
    with without_hooks():
        return image, trace_with_graph(model, image.model_input, graph_names(model.config.depth))[1]


def _keeps_graph(model: VisionTransformer, image: Prepared | Tensor) -> bool:
    rows, columns = model.grid_of(image[None]) if isinstance(image, Tensor) else image.geometry.grid
    return keeps_graph(model.config, model.config.num_prefix_tokens + rows * columns)


def _as_map(values: Tensor, model: VisionTransformer) -> np.ndarray:
    values = values.detach().numpy().astype(np.float32, copy=True)
    if not np.isfinite(values).all():
        raise ModelError(f"{model.name!r} returns numbers that are not finite; check its weights.")
    values.flags.writeable = False
    return values
