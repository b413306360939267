"""Reading of saved traces, with checks of everything that a file contains."""

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
from .model_stub import make_model_stub
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

    The file contains data only; no code is run.

    Args:
        path: path of the file.
        model: model that made the trace. Without it, everything that was recorded is available (attention, heat maps,
            output, recorded activations, image and geometry), but nothing that has to run the model.

    Returns:
        Trace with the same numbers as the one that was saved.

    Raises:
        TraceError: if the file cannot be read, is damaged, is not a trace, or was made by another model.
    """
    name = Path(path).name
    tensors, text = read_trace_file(Path(path))
    with _errors_as_damaged(name):
        return _build(tensors, json.loads(text), model, name)


def _build(
    tensors: dict[str, np.ndarray], about: Mapping[str, Any], model: VisionTransformer | None, name: str
) -> Trace:
    labels, notes = _texts(about["labels"]), _texts(about["notes"])
    own_name, own_fingerprint = _texts([about["name"], about["fingerprint"]])
    one_of(about["output_kind"], get_args(OutputKind), "output_kind")
    layers = sum(key.startswith("queries.") for key in tensors)
    _require(about["config"]["depth"] == layers)  # before memory of that size is allocated
    config = _config(about["config"], len(labels))
    grid = tuple(about["grid"])
    _require(len(grid) == 2 and all(type(side) is int and side > 0 for side in grid))
    edits = checked_edits([_edit(one, tensors.get(f"edits.{i}")) for i, one in enumerate(about["edits"])], config, grid)
    _check_shapes(tensors, config, grid, about)
    image = None
    if about["image"] is not None:
        geometry = _geometry(about["image"]["geometry"])
        _require(geometry.grid == grid and geometry.patch == config.patch_size)
        (image_fingerprint,) = _texts([about["image"].get("fingerprint", "")])  # older files have none
        image = Prepared(_frozen(tensors["pixels"]), geometry, _texts(about["image"]["notes"]), image_fingerprint)
    preprocessing = _dataclass(Preprocessing, about["preprocessing"])
    weights = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
    if model is None:
        model = make_model_stub(
            config,
            {key: torch.from_numpy(value) for key, value in weights.items()},
            name=own_name,
            fingerprint=own_fingerprint,
            preprocessing=preprocessing,
            labels=labels,
            output_kind=about["output_kind"],
            notes=notes,
        )
    elif own_fingerprint != fingerprint(model):
        what = "architecture" if model.config != config else "weights or preprocessing"
        raise TraceError(
            f"The trace in {name!r} was made by {shown(own_name)}, whose {what} differs from that of the given model "
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


# --- Checks of the parts of a file -----------------------------------------------------------------------------------


def _config(data: dict[str, Any], labels: int) -> ViTConfig:
    rope = data["rope"]
    if rope is not None:
        rope = RoPE(**{**rope, "reference": _pair(rope["reference"])})
    parts = {"rope": rope, "resampling": Resampling(**data["resampling"]), "image_size": _pair(data["image_size"])}
    return checked(ViTConfig(**{**data, **parts}), labels, bool(data["stem"]))


def _geometry(data: dict[str, Any]) -> Geometry:
    geometry = Geometry(**{key: value if key == "patch" else tuple(value) for key, value in data.items()})
    fields = (geometry.original, geometry.model, geometry.source, geometry.content)
    _require([len(numbers) for numbers in fields] == [2, 2, 4, 4] and type(geometry.patch) is int)
    _require(all(type(one) in (int, float) and abs(one) < 1e9 for numbers in fields for one in numbers))
    left, top, right, bottom = geometry.content
    _require(0 <= left < right <= geometry.model[0] and 0 <= top < bottom <= geometry.model[1] and geometry.patch > 0)
    return geometry


def _edit(data: dict[str, Any], values: np.ndarray | None) -> Edit:
    kind = _EDITS[data["kind"]]
    fields = {key: value for key, value in data.items() if key != "kind"}
    return kind(**fields, values=values) if kind is ActivationPatch else kind(**fields)


def _check_shapes(
    tensors: Mapping[str, np.ndarray], config: ViTConfig, grid: tuple[int, int], about: Mapping[str, Any]
) -> None:
    """Refuse a file with missing or additional arrays, or arrays of another shape or dtype."""
    tokens = config.num_prefix_tokens + grid[0] * grid[1]
    sides = (grid[0] * config.patch_size, grid[1] * config.patch_size)
    per_head = (config.num_heads, tokens, config.head_dim)
    expected = {f"{part}.{layer}": per_head for part in ("queries", "keys") for layer in range(config.depth)}
    expected |= {f"model.{name}": shape for name, shape in saved_weight_shapes(config).items()}
    expected["output"] = (config.num_classes or config.feature_dim,)
    if config.pooling == "attention":
        read = tokens if config.pool_include_prefix else tokens - config.num_prefix_tokens
        expected["pool_keys"] = (config.pool_num_heads, read, config.embed_dim // config.pool_num_heads)
    if about["image"] is None:
        expected["input"] = (config.in_chans, *sides)
    else:
        expected["pixels"] = (*sides, config.in_chans)
    for i, edit in enumerate(about["edits"]):
        if edit["kind"] == "ActivationPatch":
            expected[f"edits.{i}"] = tensors[f"edits.{i}"].shape  # checked by the edit itself
    recorded = {name for name in tensors if name.startswith("recorded.")}
    _require(expected.keys() | recorded == tensors.keys())
    for name, shape in expected.items():
        kind = np.uint8 if name == "pixels" else np.float32
        _require(tensors[name].shape == tuple(shape) and tensors[name].dtype == kind)
    for name in recorded:
        shape = _shape_of(name.removeprefix("recorded."), config, tokens)
        _require(shape is None or tensors[name].shape == shape)


def _shape_of(hook: str, config: ViTConfig, tokens: int) -> tuple[int, ...] | None:
    """Shape of the activation at a hook point without batch axis; None if it does not follow from the configuration."""
    last = hook.rpartition(".")[2]
    if hook.startswith(f"{POOL}.") or not hook.startswith(("blocks.", "embed.", "norm")):
        return None
    if hook == "norm" or last in ("resid_pre", "resid_mid", "resid_post", "out", "tokens"):
        return tokens, config.embed_dim
    if last in ("q", "k", "v", "z"):
        return config.num_heads, tokens, config.head_dim
    return None


def _dataclass(kind: type, data: dict[str, Any]) -> Any:
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})


def _pair(value: object) -> tuple | None:
    return tuple(value) if isinstance(value, list) else None


def _texts(values: object) -> tuple[str, ...]:
    _require(isinstance(values, list) and all(isinstance(one, str) for one in values))
    return tuple(values)


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("inconsistent data")


@contextmanager
def _errors_as_damaged(name: str) -> Iterator[None]:
    """Convert every exception that invalid data can cause to a `TraceError`."""
    try:
        yield
    except TraceError:
        raise
    except (VitvizError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
        raise damaged(name) from error


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
