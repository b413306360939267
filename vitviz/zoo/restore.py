"""From the weights of a training run to a model: what the file tells, what only a person can tell, and the check.

The model is first built in timm, and then converted as any other timm model is.
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
from .architecture import architecture, checked_options, contradicted, created, in_timms_names, is_known, options_of
from .checkpoint import Checkpoint, read_checkpoint
from .class_names import read_labels
from .convert import build as build_model
from .convert import converted, mismatch
from .convert.labels import labels_of
from .find_vit import find_vit
from .folders import checkpoint_file
from .layouts import DINOV2, HUGGING_FACE_DINOV2, TIMM, Layout
from .options import NOTHING_SAID, Options
from .pixels import preprocessing_of, size_of_script
from .plain import ask, of_script, plain_vit
from .sidecar import labels_beside, read_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

# What the outputs are, in the words of a Hugging Face training run.
_OUTPUT_KINDS: dict[str, OutputKind] = {"multi_label_classification": "independent", "regression": "values"}


def load_checkpoint(path: str | Path, options: Options = NOTHING_SAID, *, name: str | None = None) -> VisionTransformer:
    """Load the weights of a training run.

    Args:
        path: a .safetensors, .pth, .pt, .bin or .ckpt file, or a folder with config.json and model.safetensors.
        options: what is said of it; what they leave open may be said in a file beside it (see `sidecar`).
        name: what to call the model, also in messages; by default as its file or folder.

    Raises:
        ModelError: if the file cannot be read, its architecture cannot be told, or its keys are not those of the
            architecture; the message says which.
    """
    file = checkpoint_file(Path(path))
    beside, sidecar = read_sidecar(file)
    checkpoint = read_checkpoint(file)
    checkpoint = replace(checkpoint, name=name or checkpoint.name, path=name or checkpoint.path)
    labels = labels_beside(file)
    try:
        with _plain_refusals(checkpoint.file):
            return _restored(checkpoint, options.over(beside), labels)
    except ModelError as error:
        if not beside.given:
            raise
        raise ModelError(f"{str(error).removesuffix('.')} (with the options in {sidecar}).") from error


@contextmanager
def _plain_refusals(name: str) -> Iterator[None]:
    """Turn what nonsense in a file or in the JSON beside it makes Python raise into one sentence."""
    try:
        yield
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, AssertionError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{name!r}, or a JSON file beside it, makes no sense: {reason}; save it again.") from error


def _restored(checkpoint: Checkpoint, options: Options, labels: Path | None = None) -> VisionTransformer:
    file = checkpoint.file
    found = find_vit(checkpoint.weights, file, options.prefix, without_head=options.without_head)
    layout, weights, notes = found.layout, dict(found.weights), list(found.notes)
    wide_head = _wide_head(weights, layout, file)
    named = next((name for name in (checkpoint.config.get("architecture"), checkpoint.arch) if is_known(name)), "")
    name, heads = options.arch or named, options.heads
    width = len(weights["patch_embed.proj.weight"]) if "patch_embed.proj.weight" in weights else 0
    if heads is not None and width % heads:
        raise ModelError(f"heads is {heads}, which does not divide the width {width} of {file!r}.")
    trained = size_of_script(checkpoint.args)
    config: Mapping[str, Any] = {}
    noted: dict[str, Any] = {}  # options that the file states of its architecture
    wanted: dict[str, Any] = {}  # and those that the caller does
    if name and layout in (None, TIMM, DINOV2):
        noted = options_of(checkpoint.config, checkpoint.args) if name == named else {}
        wanted = checked_options(options.arch_kwargs or {}, "arch_kwargs has")
        if heads is not None:
            wanted["num_heads"] = heads
        built = architecture(name, weights, {**noted, **wanted}, trained)
        builds, config = (built.build, built.as_said), built.pretrained_cfg
    else:
        if layout is None:
            raise ask(file, f"a plain ViT has no {', '.join(list(weights)[:5])}")
        if options.arch_kwargs:
            why = f"the names of {layout.name} tell the shape" if options.arch else "they need a name, such as arch="
            raise ModelError(f"arch_kwargs cannot be used for {file!r}: {why}; leave them out, or give both.")
        if heads is None and options.arch:
            heads = _heads_of(options.arch, width)
        # DeiT-III's published names of LayerScale.
        weights = {re.sub(r"\.gamma_([12])$", r".ls\1.gamma", key): value for key, value in weights.items()}
        said = {**of_script(checkpoint.args, trained), **checkpoint.config}
        build, assumed = plain_vit(weights, layout, said, heads, file)
        builds = (build,)
        notes += assumed
    theirs, used = _filled(builds, weights, file)
    notes += _contradictions(noted, wanted, used, options)
    model = converted(theirs)
    if wide_head:
        model = _with_wide_head(model, wide_head)
    model = _with_resampling(model, layout)
    model.name = checkpoint.name
    model.set_preprocessing(
        *preprocessing_of(checkpoint, model.config, layout, config, name if config else "", options)
    )
    model.labels, unused = _labels_of(checkpoint, options, labels, model.config.num_classes)
    # Names make classes of what the architecture alone would take for an embedding.
    output_kind = _OUTPUT_KINDS.get(str(checkpoint.config.get("problem_type"))) or ("classes" if model.labels else None)
    if output_kind:
        model.output_kind = output_kind
    model.notes = tuple(notes + unused)
    return model


def restored_from_memory(name: str, weights: dict[str, Tensor], config: dict[str, Any]) -> VisionTransformer:
    """Make a model of weights that are in memory, by the names of their framework, and of what a config.json would say.

    Raises:
        ModelError: as `load_checkpoint`.
    """
    checkpoint = Checkpoint(name=name, weights=weights, config=config)
    with _plain_refusals(name):
        return _restored(checkpoint, NOTHING_SAID)


def _heads_of(arch: str, width: int) -> int:
    model = created(arch)
    if width and model.embed_dim != width:
        raise ModelError(
            f"The weights are {width} wide and {arch} is {model.embed_dim}; pass heads= with the number of heads in "
            "training, which no weight tells, or the arch= that it was trained as."
        )
    return model.blocks[0].attn.num_heads


def _contradictions(
    noted: Mapping[str, Any], wanted: Mapping[str, Any], build: "Callable[[], nn.Module]", options: Options
) -> list[str]:
    """Sentences on what the file states of its architecture and its weights contradict.

    Raises:
        ModelError: if a caller states it.
    """
    left_out = {"num_classes"} if options.without_head else set()
    wrong = contradicted({key: value for key, value in wanted.items() if key not in left_out}, build)
    if wrong:
        raise ModelError(f"arch_kwargs has {'; and '.join(wrong)}; leave out what is wrong, for the weights tell it.")
    rest = {key: value for key, value in noted.items() if key not in {*wanted, *left_out}}
    return [f"Not used, though the file states it: {one}." for one in contradicted(rest, build)]


def _wide_head(weights: dict[str, Tensor], layout: Layout | None, name: str) -> dict[str, Tensor]:
    """Take out the classifier of Hugging Face's Dinov2ForImageClassification, which no model of timm has.

    It reads the class token and the mean of the patches side by side.
    """
    if layout is not HUGGING_FACE_DINOV2 or "head.weight" not in weights:
        return {}
    if weights["head.weight"].shape[-1] == len(weights["patch_embed.proj.weight"]):  # of the class token alone
        return {}
    if "reg_token" in weights:
        raise ModelError(
            f"The classifier of {name!r} reads the class token and a mean, and versions of its framework differ in "
            "whether that includes the registers; load it with classes=0 to leave the classifier out."
        )
    return {key: weights.pop(key) for key in ("head.weight", "head.bias") if key in weights}


def _with_wide_head(model: VisionTransformer, head: Mapping[str, Tensor]) -> VisionTransformer:
    config = replace(model.config, pooling="token+mean", num_classes=len(head["head.weight"]))
    weights = model.state_dict() | {key: value.float().clone() for key, value in head.items()}
    return build_model(config, weights, name=model.name, preprocessing=model.preprocessing)


def _with_resampling(model: VisionTransformer, layout: Layout | None) -> VisionTransformer:
    """The model with positions that are brought to other grids as its own framework does it, where that is not timm."""
    if layout is None or layout.resampling is None or not model.config.position_embedding:
        return model
    if layout is HUGGING_FACE_DINOV2 and model.config.num_registers:  # whose code is timm's here
        return model
    config = replace(model.config, resampling=layout.resampling)
    return build_model(config, model.state_dict(), name=model.name, preprocessing=model.preprocessing)


# ---------------------------------------------------------------- the weights go in


def _filled(
    builds: "Sequence[Callable[[], nn.Module]]", weights: Mapping[str, Tensor], name: str
) -> "tuple[nn.Module, Callable[[], nn.Module]]":
    """The timm model with these weights, and what built it: the first that they fit, renamed by timm if need be.

    Raises:
        ModelError: if a key is missing or left over, or a shape differs.
    """
    problems = []
    for build in builds:
        with torch.device("meta"):  # shapes only
            model = build()
            found = in_timms_names(model, weights) if mismatch(model, weights) else weights
            problem = mismatch(model, found)
        if not problem:
            model = build()
            model.load_state_dict(found)
            return model.eval(), build
        problems.append(problem)
    raise ModelError(f"The weights in {name!r} are not those of its architecture: {problems[0]}.")


# ---------------------------------------------------------------- what else is known


def _labels_of(
    checkpoint: Checkpoint, options: Options, beside: Path | None, outputs: int
) -> tuple[tuple[str, ...], list[str]]:
    """Class names, from the best that tells them; and sentences on those that do not fit.

    Names that a caller gives have to fit. Next come those in `config.json` and in the file, as torchvision's
    `class_to_idx`, and last the `labels.txt` in the folder, which may be of another checkpoint.
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
    """The class names in a config.json of Hugging Face or timm; () if they are missing or made up by a program."""
    names = config.get("id2label")
    if isinstance(names, dict) and len(names) == outputs and all(str(i) in names for i in range(outputs)):
        labels = tuple(str(names[str(i)]) for i in range(outputs))
        return () if labels == tuple(f"LABEL_{i}" for i in range(outputs)) else labels
    if isinstance(config.get("label_names"), list) and outputs:
        descriptions = config.get("label_descriptions")
        return labels_of({**config, "num_classes": outputs, "label_descriptions": descriptions})
    return ()
