"""Traces from files, checked: nothing of a file that is none becomes a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from ..errors import TraceError, VitvizError
from ..errors.arguments import one_of, shown, typed
from ..images import Geometry, Prepared, Preprocessing
from ..model.config import POOL, OutputKind, Resampling, RoPE, ViTConfig, checked
from ..model.edits import ActivationPatch, Edit, HeadAblation, KeyMask, PatchAblation, SublayerAblation, Temperature
from ..model.edits import checked as checked_edits
from .model_stub import model_stub
from .saved_weights import fingerprint, saved_weight_shapes
from .trace import Trace
from .trace_file import damaged, read_trace_file
from .vision_transformer import VisionTransformer

_EDITS = {
    kind.__name__: kind
    for kind in (HeadAblation, SublayerAblation, KeyMask, PatchAblation, Temperature, ActivationPatch)
}


@typed
def open_trace(path: str | Path, *, model: VisionTransformer | None = None) -> Trace:
    """Open a trace that `Trace.save` wrote.

    No code in the file is run.

    Args:
        path: the file.
        model: the model that made the trace. Without it, all that was recorded is there (attention, heat maps, the
            output, recorded activations, the image and its geometry), and only what has to run the model is not.

    Returns:
        The trace, which computes the same numbers as the one that was saved.

    Raises:
        TraceError: if the file cannot be read, is damaged or no trace, or if the trace is not one of this model.
    """
    name = Path(path).name
    tensors, text = read_trace_file(Path(path))
    with _refused(name):
        return _put_together(tensors, json.loads(text), model, name)


def _put_together(
    tensors: dict[str, np.ndarray], about: Mapping[str, Any], model: VisionTransformer | None, name: str
) -> Trace:
    labels, notes = _texts(about["labels"]), _texts(about["notes"])
    own_name, own_fingerprint = _texts([about["name"], about["fingerprint"]])
    one_of(about["output_kind"], get_args(OutputKind), "output_kind")
    layers = sum(key.startswith("queries.") for key in tensors)
    _holds(about["config"]["depth"] == layers)  # before anything of that size is built
    config = _config(about["config"], len(labels))
    grid = tuple(about["grid"])
    _holds(len(grid) == 2 and all(type(side) is int and side > 0 for side in grid))
    edits = checked_edits([_edit(one, tensors.get(f"edits.{i}")) for i, one in enumerate(about["edits"])], config, grid)
    _check_shapes(tensors, config, grid, about)
    image = None
    if about["image"] is not None:
        geometry = _geometry(about["image"]["geometry"])
        _holds(geometry.grid == grid and geometry.patch == config.patch_size)
        image = Prepared(_frozen(tensors["pixels"]), geometry, _texts(about["image"]["notes"]))
    preprocessing = _made(Preprocessing, about["preprocessing"])
    kept = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
    if model is None:
        model = model_stub(
            config,
            {key: torch.from_numpy(value) for key, value in kept.items()},
            name=own_name,
            fingerprint=own_fingerprint,
            preprocessing=preprocessing,
            labels=labels,
            output_kind=about["output_kind"],
            notes=notes,
        )
    elif own_fingerprint != fingerprint(model):
        differs = "another architecture" if model.config != config else "other weights or another preprocessing"
        raise TraceError(
            f"The trace in {name!r} was made by {shown(own_name)}, which has {differs} than the given model "
            f"{shown(model.name)}; give the model that made it."
        )
    return Trace(
        model=model,
        grid=grid,
        image=image,
        output=_frozen(tensors["output"]),
        _input=None if image is not None else torch.from_numpy(tensors["input"]),
        _queries=tuple(torch.from_numpy(tensors[f"queries.{layer}"]) for layer in range(layers)),
        _keys=tuple(torch.from_numpy(tensors[f"keys.{layer}"]) for layer in range(layers)),
        _pool_keys=torch.from_numpy(tensors["pool_keys"]) if config.pooling == "attention" else None,
        _recorded={
            key.removeprefix("recorded."): _frozen(value)
            for key, value in tensors.items()
            if key.startswith("recorded.")
        },
        _edited=about["edited"] is True,
        edits=edits,
    )


# ---------------------------------------------------------------- what a file says, checked


def _config(said: dict[str, Any], labels: int) -> ViTConfig:
    rope = said["rope"]
    if rope is not None:
        rope = RoPE(**{**rope, "reference": _pair(rope["reference"])})
    parts = {"rope": rope, "resampling": Resampling(**said["resampling"]), "image_size": _pair(said["image_size"])}
    return checked(ViTConfig(**{**said, **parts}), labels, bool(said["stem"]))


def _geometry(said: dict[str, Any]) -> Geometry:
    found = Geometry(**{key: value if key == "patch" else tuple(value) for key, value in said.items()})
    numbers = (*found.original, *found.model, *found.source, *found.content)
    _holds([len(found.original), len(found.model), len(found.source), len(found.content)] == [2, 2, 4, 4])
    _holds(all(type(one) in (int, float) and abs(one) < 1e9 for one in numbers) and type(found.patch) is int)
    left, top, right, bottom = found.content
    _holds(0 <= left < right <= found.model[0] and 0 <= top < bottom <= found.model[1] and found.patch > 0)
    return found


def _edit(said: dict[str, Any], values: np.ndarray | None) -> Edit:
    kind = _EDITS[said["kind"]]
    given = {key: value for key, value in said.items() if key != "kind"}
    return kind(**given, values=values) if kind is ActivationPatch else kind(**given)


def _check_shapes(
    tensors: Mapping[str, np.ndarray], config: ViTConfig, grid: tuple[int, int], about: Mapping[str, Any]
) -> None:
    """Refuse a file with an array too many, too few, or of another shape or type."""
    tokens = config.num_prefix_tokens + grid[0] * grid[1]
    sides = (grid[0] * config.patch_size, grid[1] * config.patch_size)
    whole = (config.num_heads, tokens, config.head_dim)
    wanted = {f"{part}.{layer}": whole for part in ("queries", "keys") for layer in range(config.depth)}
    wanted |= {f"model.{name}": shape for name, shape in saved_weight_shapes(config).items()}
    wanted["output"] = (config.num_classes or config.feature_dim,)
    if config.pooling == "attention":
        read = tokens if config.pool_include_prefix else tokens - config.num_prefix_tokens
        wanted["pool_keys"] = (config.pool_num_heads, read, config.embed_dim // config.pool_num_heads)
    if about["image"] is None:
        wanted["input"] = (config.in_chans, *sides)
    else:
        wanted["pixels"] = (*sides, config.in_chans)
    for i, edit in enumerate(about["edits"]):
        if edit["kind"] == "ActivationPatch":
            wanted[f"edits.{i}"] = tensors[f"edits.{i}"].shape  # which the edit itself has checked
    recorded = {name for name in tensors if name.startswith("recorded.")}
    _holds(wanted.keys() | recorded == tensors.keys())
    for name, shape in wanted.items():
        kind = np.uint8 if name == "pixels" else np.float32
        _holds(tensors[name].shape == tuple(shape) and tensors[name].dtype == kind)
    for name in recorded:
        shape = _shape_of(name.removeprefix("recorded."), config, tokens)
        _holds(shape is None or tensors[name].shape == shape)


def _shape_of(hook: str, config: ViTConfig, tokens: int) -> tuple[int, ...] | None:
    """Shape of a hook point's values without the batch axis; None where that depends on more than the shape."""
    last = hook.rpartition(".")[2]
    if hook.startswith(f"{POOL}.") or not hook.startswith(("blocks.", "embed.", "norm")):
        return None
    if hook == "norm" or last in ("resid_pre", "resid_mid", "resid_post", "out", "tokens"):
        return tokens, config.embed_dim
    if last in ("q", "k", "v", "z"):
        return config.num_heads, tokens, config.head_dim
    return None


def _made(kind: type, said: dict[str, Any]) -> Any:
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in said.items()})


def _pair(value: object) -> tuple | None:
    return tuple(value) if isinstance(value, list) else None


def _texts(values: object) -> tuple[str, ...]:
    _holds(isinstance(values, list) and all(isinstance(one, str) for one in values))
    return tuple(values)


def _holds(condition: bool) -> None:
    if not condition:
        raise ValueError("it does not fit together")


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Turn what nonsense in a file makes Python raise into one sentence."""
    try:
        yield
    except TraceError:
        raise
    except (VitvizError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
        raise damaged(name) from error


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
