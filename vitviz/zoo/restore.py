"""Load the checkpoint of a training run.

The model is built in timm from the information in the file and the options of the caller, and then converted like any
other timm model.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..model.config import OutputKind
from ..trace.vision_transformer import VisionTransformer
from .architecture import (
    architecture,
    checked_options,
    contradicted,
    created,
    is_known,
    options_of,
    other_embed_dim,
    renamed_by_timm,
)
from .checkpoint import Checkpoint, read_checkpoint
from .class_names import read_labels
from .convert import build as build_model
from .convert import converted, mismatch
from .convert.labels import labels_of
from .find_vit import find_vit
from .folders import checkpoint_file
from .layouts import DINOV2, HUGGING_FACE_DINOV2, TIMM, Layout
from .options import NO_OPTIONS, Options
from .pixels import preprocessing_of, script_size
from .plain import plain_vit, script_config, unknown_architecture
from .sidecar import labels_beside, read_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

_MAX_REASON = 200  # characters of a message of Python, which can quote a value of any length
# Kind of output by `problem_type` in a config.json of Hugging Face.
_OUTPUT_KINDS: dict[str, OutputKind] = {"multi_label_classification": "independent", "regression": "values"}


def load_checkpoint(path: str | Path, options: Options = NO_OPTIONS, *, name: str | None = None) -> VisionTransformer:
    """Load a checkpoint.

    Args:
        path: a .safetensors, .pth, .pt, .bin or .ckpt file, or a folder with config.json and model.safetensors.
        options: options of the caller; a TOML file in the folder may set others (see `sidecar`).
        name: name of the model, also in messages; by default that of the file or folder.

    Raises:
        ModelError: if the file cannot be read, its architecture cannot be determined, or its keys are not those of the
            architecture; the message gives the reason.
    """
    file = checkpoint_file(Path(path))
    beside, sidecar = read_sidecar(file)
    checkpoint = read_checkpoint(file)
    checkpoint = replace(checkpoint, name=name or checkpoint.name, path=name or checkpoint.path)
    labels = labels_beside(file)
    try:
        with _errors_as_model_errors(checkpoint.file):
            return _build_model(checkpoint, options.over(beside), labels)
    except ModelError as error:
        if not beside.given:
            raise
        raise ModelError(f"{str(error).removesuffix('.')} (with the options in {sidecar}).") from error


@contextmanager
def _errors_as_model_errors(name: str) -> Iterator[None]:
    """Convert Python errors caused by invalid content of a file to a `ModelError`."""
    try:
        yield
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, AssertionError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:_MAX_REASON] if str(error).strip() else type(error).__name__
        raise ModelError(f"{name!r} or a JSON file beside it is not valid ({reason}); save it again.") from error


def _build_model(checkpoint: Checkpoint, options: Options, labels: Path | None = None) -> VisionTransformer:
    file = checkpoint.file
    found = find_vit(checkpoint.weights, file, options.prefix, without_head=options.without_head)
    layout, weights, notes = found.layout, dict(found.weights), list(found.notes)
    wide_head = _pop_wide_head(weights, layout, file)
    stated_name = next(
        (name for name in (checkpoint.config.get("architecture"), checkpoint.arch) if is_known(name)), ""
    )
    name, num_heads = options.arch or stated_name, options.num_heads
    embed_dim = len(weights["patch_embed.proj.weight"]) if "patch_embed.proj.weight" in weights else 0
    if num_heads is not None and embed_dim % num_heads:
        raise ModelError(
            f"num_heads is {num_heads}, which does not divide embed_dim {embed_dim} of {file!r}; pass the number used "
            "in training."
        )
    trained = script_size(checkpoint.args)
    config: Mapping[str, Any] = {}
    stated: dict[str, Any] = {}  # options of the architecture in the file
    requested: dict[str, Any] = {}  # options of the architecture given by the caller
    if name and layout in (None, TIMM, DINOV2):
        stated = options_of(checkpoint.config, checkpoint.args) if name == stated_name else {}
        requested = checked_options(options.arch_kwargs or {}, "arch_kwargs has")
        if num_heads is not None:
            requested["num_heads"] = num_heads
        built = architecture(name, weights, {**stated, **requested}, trained)
        builds, config = (built.build, built.as_stated), built.pretrained_cfg
    else:
        if layout is None:
            raise unknown_architecture(file, f"a plain ViT has no {', '.join(list(weights)[:5])}")
        if options.arch_kwargs:
            advice = (
                f"{layout.name} weights define the architecture, so leave it out" if options.arch else "pass arch= too"
            )
            raise ModelError(f"arch_kwargs cannot be used for {file!r}; {advice}.")
        if num_heads is None and options.arch:
            num_heads = _num_heads_of(options.arch, embed_dim)
        # DeiT-III's published names of LayerScale.
        weights = {re.sub(r"\.gamma_([12])$", r".ls\1.gamma", key): value for key, value in weights.items()}
        settings = {**script_config(checkpoint.args, trained), **checkpoint.config}
        build, assumed = plain_vit(weights, layout, settings, num_heads, file)
        builds = (build,)
        notes += assumed
    theirs, used = _load_weights(builds, weights, file)
    notes += _contradictions(stated, requested, used, options)
    model = converted(theirs)
    if wide_head:
        model = _with_wide_head(model, wide_head)
    model = _with_resampling(model, layout)
    model.name = checkpoint.name
    model.set_preprocessing(
        *preprocessing_of(checkpoint, model.config, layout, config, name if config else "", options)
    )
    model.labels, unused = _labels_of(checkpoint, options, labels, model.config.num_classes)
    # With class names, outputs that would otherwise be considered an embedding are classes.
    output_kind = _OUTPUT_KINDS.get(str(checkpoint.config.get("problem_type"))) or ("classes" if model.labels else None)
    if output_kind:
        model.output_kind = output_kind
    model.notes = tuple(notes + unused)
    return model


def restore_from_memory(name: str, weights: dict[str, Tensor], config: dict[str, Any]) -> VisionTransformer:
    """Build a model from weights in memory, by the names of their framework, and the contents of its config.json.

    Raises:
        ModelError: as `load_checkpoint`.
    """
    checkpoint = Checkpoint(name=name, weights=weights, config=config)
    with _errors_as_model_errors(name):
        return _build_model(checkpoint, NO_OPTIONS)


def _num_heads_of(arch: str, embed_dim: int) -> int:
    model = created(arch)
    if embed_dim and model.embed_dim != embed_dim:
        raise other_embed_dim(embed_dim, arch, model.embed_dim)
    return model.blocks[0].attn.num_heads


def _contradictions(
    stated: Mapping[str, Any], requested: Mapping[str, Any], build: "Callable[[], nn.Module]", options: Options
) -> list[str]:
    """Notes on options in the file that its weights contradict.

    Raises:
        ModelError: if the weights contradict an option of the caller.
    """
    left_out = {"num_classes"} if options.without_head else set()
    wrong = contradicted({key: value for key, value in requested.items() if key not in left_out}, build)
    if wrong:
        raise ModelError(f"arch_kwargs has {' and '.join(wrong)}; leave this out, because the weights determine it.")
    rest = {key: value for key, value in stated.items() if key not in {*requested, *left_out}}
    return [f"An option in the file was ignored: {one}." for one in contradicted(rest, build)]


def _pop_wide_head(weights: dict[str, Tensor], layout: Layout | None, name: str) -> dict[str, Tensor]:
    """Remove and return the classifier of Hugging Face's Dinov2ForImageClassification, which timm does not have.

    Its input is the concatenation of the class token and the mean of the patches.
    """
    if layout is not HUGGING_FACE_DINOV2 or "head.weight" not in weights:
        return {}
    if weights["head.weight"].shape[-1] == len(weights["patch_embed.proj.weight"]):  # reads the class token only
        return {}
    if "reg_token" in weights:
        raise ModelError(
            f"The classifier of {name!r} reads the class token and a mean, which includes the register tokens only in "
            "some versions of its framework; load it with classes=0 to leave the classifier out."
        )
    return {key: weights.pop(key) for key in ("head.weight", "head.bias") if key in weights}


def _with_wide_head(model: VisionTransformer, head: Mapping[str, Tensor]) -> VisionTransformer:
    config = replace(model.config, pooling="token+mean", num_classes=len(head["head.weight"]))
    weights = model.state_dict() | {key: value.float().clone() for key, value in head.items()}
    return build_model(config, weights, name=model.name, preprocessing=model.preprocessing)


def _with_resampling(model: VisionTransformer, layout: Layout | None) -> VisionTransformer:
    """Return the model with the interpolation of the position embedding of its own framework, if it is not timm."""
    if layout is None or layout.resampling is None or not model.config.position_embedding:
        return model
    if layout is HUGGING_FACE_DINOV2 and model.config.num_registers:  # its code resamples like timm
        return model
    config = replace(model.config, resampling=layout.resampling)
    return build_model(config, model.state_dict(), name=model.name, preprocessing=model.preprocessing)


def _load_weights(
    builds: "Sequence[Callable[[], nn.Module]]", weights: Mapping[str, Tensor], name: str
) -> "tuple[nn.Module, Callable[[], nn.Module]]":
    """Load the weights into the first timm model that they fit, renamed by timm if necessary.

    Returns:
        The model, and the function that built it.

    Raises:
        ModelError: if a key is missing or unexpected, or a shape differs.
    """
    problems = []
    for build in builds:
        with torch.device("meta"):  # shapes only
            model = build()
            found = renamed_by_timm(model, weights) if mismatch(model, weights) else weights
            problem = mismatch(model, found)
        if not problem:
            model = build()
            model.load_state_dict(found)
            return model.eval(), build
        problems.append(problem)
    raise ModelError(f"The weights in {name!r} are not those of its architecture: {problems[0]}.")


def _labels_of(
    checkpoint: Checkpoint, options: Options, beside: Path | None, outputs: int
) -> tuple[tuple[str, ...], list[str]]:
    """Class names from the first suitable source; and notes on class names that do not fit.

    The sources are, in this order: the caller, whose names must fit; `config.json`; the file, such as torchvision's
    `class_to_idx`; and the `labels.txt` in the folder, which may belong to another checkpoint.
    """
    if options.classes is not None and (labels := read_labels(options.classes, outputs, checkpoint.file)):
        return labels, []
    notes: list[str] = []
    others = {"in config.json": _labels(checkpoint.config, outputs) or None}
    if options.classes is None:
        others |= {"in the file": checkpoint.classes, "in labels.txt": beside}
    for where, classes in others.items():
        if classes is None or not outputs:
            continue
        try:
            return read_labels(classes, outputs, checkpoint.file), notes
        except ModelError as error:
            notes.append(f"The class names {where} are not used: {error}")
    return (), notes


def _labels(config: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    """Class names in a config.json of Hugging Face or timm; () if they are missing or generated ("LABEL_0")."""
    names = config.get("id2label")
    if isinstance(names, dict) and len(names) == outputs and all(str(i) in names for i in range(outputs)):
        labels = tuple(str(names[str(i)]) for i in range(outputs))
        return () if labels == tuple(f"LABEL_{i}" for i in range(outputs)) else labels
    if isinstance(config.get("label_names"), list) and outputs:
        descriptions = config.get("label_descriptions")
        return labels_of({**config, "num_classes": outputs, "label_descriptions": descriptions})
    return ()
