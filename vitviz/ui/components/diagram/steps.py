"""Steps of a model from image to output, drawn from its configuration; each knows the sections that explain it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ....model.config import ViTConfig

Section = str  # page and name of a section, such as "attention/scores"
NETWORK = "attention/network"
OUTPUT = ("attention/output",)


@dataclass(frozen=True)
class Step:
    """Step of the model, a button of the map.

    Attributes:
        name: identity of the step.
        label: text of the button.
        note: second line, such as a shape; or empty.
        meaning: description, shown on hover and read by screen readers.
        sections: sections that explain it; a click opens the first one.
    """

    name: str
    label: str
    note: str
    meaning: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Group:
    """Group of steps.

    Attributes:
        kind: `"block"`; `"residual"`: a sublayer and the step that adds its output to its input, the last one;
            `"attention"`: the whole, then its parts; or `"parallel"`: steps with the same input, whose outputs are
            added.
        label: name of the group.
        note: text before the steps; or empty.
        steps: steps and groups, in order.
    """

    kind: Literal["block", "residual", "attention", "parallel"]
    label: str
    note: str
    steps: tuple[Step | Group, ...]


def model_steps(
    config: ViTConfig, grid: tuple[int, int], *, layer_scale: bool = False, is_classifier: bool | None = None
) -> tuple[Step | Group, ...]:
    """Return the steps of a model, from the image to its output.

    Args:
        config: configuration of the model.
        grid: rows and columns of patches.
        layer_scale: whether the model scales the outputs of sublayers; the configuration does not contain it.
        is_classifier: whether the outputs are classes; by default, if the configuration has any.
    """
    classes = config.num_classes > 0 if is_classifier is None else is_classifier
    return (
        *_patches(config, grid),
        *_sequence(config, config.num_prefix_tokens + grid[0] * grid[1]),
        Group("block", f"Block, {config.depth} times", f"{config.depth} ×", tuple(_block(config, layer_scale))),
        *_output(config, classes),
    )


def all_steps(steps: Sequence[Step | Group]) -> Iterator[Step]:
    """Yield all steps, also those in groups, in order."""
    for step in steps:
        if isinstance(step, Group):
            yield from all_steps(step.steps)
        else:
            yield step


def as_data(step: Step | Group) -> dict[str, Any]:
    """Return a step or a group as data for the browser; groups have the key `kind`."""
    return asdict(step)


def _patches(config: ViTConfig, grid: tuple[int, int]) -> Iterator[Step]:
    """Yield the steps from the image to the tokens of the patches."""
    (rows, columns), side, channels = grid, config.patch_size, config.in_chans
    size = f"{rows * side} × {columns * side}"
    yield Step("image", "image", f"{size} × {channels}", "Normalised pixels, the input.", ("sequence/input",))
    count = f"{rows} rows of {columns}"
    if config.stem:
        yield Step(
            "stem",
            "CNN stem",
            "",
            "A convolutional network processes the whole image.",
            ("sequence/flattening",),
        )
        yield Step(
            "patches",
            "feature map",
            f"{rows} × {columns}",
            f"Its feature map has {count} positions, each for a square of {side} × {side} pixels.",
            ("sequence/splitting", "sequence/what_if"),
        )
        meaning = f"Each position of the feature map becomes a token of {config.embed_dim:,} numbers."
    else:
        yield Step(
            "patches",
            "patches",
            f"{rows} × {columns}",
            f"The image is split into {count} patches of {side} × {side} pixels.",
            ("sequence/splitting", "sequence/what_if"),
        )
        length = side * side * channels
        yield Step(
            "vectors",
            "vectors",
            f"{rows * columns:,} × {length:,}",
            f"Each patch is flattened to a vector of {length:,} numbers.",
            ("sequence/flattening",),
        )
        meaning = f"A linear projection maps each vector to a token of {config.embed_dim:,} numbers."
    yield Step("tokens", "tokens", f"{rows * columns:,} × {config.embed_dim:,}", meaning, ("sequence/projection",))
    if config.patch_norm:
        yield _norm(config, "patch_norm", "the tokens of the patches", ("sequence/projection",))


def _sequence(config: ViTConfig, tokens: int) -> Iterator[Step]:
    """Yield the steps from the tokens of the patches to the sequence."""
    here = ("sequence/positions",)
    names = config.prefix_token_names
    if names:
        label = "+ CLS" if config.class_token else "+ registers"
        others = len(names) - config.class_token
        more = "dist." if config.pooling == "distilled" else f"{others} reg."
        note = f"+ {more}" * (others > 0) if config.class_token else f"{others}"
        meaning = f"Learned tokens placed before the patches: {', '.join(names)}."
        yield Step("prefix", label, note, meaning, here)
    kinds = [
        name
        for name, exists in (("RoPE", config.rope is not None), ("relative bias", config.relative_position_bias))
        if exists
    ]
    if config.position_embedding:
        note = f"and {' and '.join(kinds)}" if kinds else "learned"
        yield Step("positions", "+ positions", note, "A learned position embedding is added to each token.", here)
    elif kinds:
        yield Step(
            "positions",
            " and ".join(kinds),
            "in attention",
            "Attention depends on positions; nothing is added to the tokens.",
            here,
        )
    if config.pre_norm:
        yield _norm(config, "pre_norm", "all tokens", ("sequence/sequence",))
    shape = f"{tokens:,} × {config.embed_dim:,}"
    yield Step("sequence", "sequence", shape, f"All tokens, the rows of a matrix of {shape}.", ("sequence/sequence",))


def _block(config: ViTConfig, layer_scale: bool) -> Iterator[Step | Group]:
    """Yield the steps of a block."""
    attention, mlp = _attention(config), _mlp(config)
    scale = [
        Step(name, "LS", "", "LayerScale: each dimension is multiplied by a learned factor.", (section,))
        if layer_scale
        else None
        for name, section in (("scale1", "attention/values"), ("scale2", NETWORK))
    ]
    if config.block == "post":
        norms = [
            _norm(config, "norm1", "the output of attention", ("attention/values",)),
            _norm(config, "norm2", "the output of the MLP", (NETWORK,)),
        ]
    else:
        norms = [
            _norm(config, "norm1", "each token", ("attention/qkv",)),
            _norm(config, "norm2", "each token", (NETWORK,)),
        ]
    plus = [
        Step("add1", "+", "", "The output of attention is added to the token.", ("attention/values",)),
        Step("add2", "+", "", "The output of the MLP is added to the token.", (NETWORK,)),
    ]
    if config.block == "parallel":
        both = Step("add1", "+", "", "Both outputs are added to the token.", ("attention/values", NETWORK))
        parallel = Group("parallel", "Attention and MLP, in parallel", "", (attention, mlp))
        inner = [step for step in (norms[0], parallel, scale[0]) if step is not None]
        yield Group("residual", "Sublayers with residual connection", "", (*inner, both))
        return
    for sublayer, norm, factor, add in zip((attention, mlp), norms, scale, plus, strict=True):
        order = (sublayer, norm, factor) if config.block == "post" else (norm, sublayer, factor)
        inner = tuple(step for step in order if step is not None)
        yield Group("residual", "Sublayer with residual connection", "", (*inner, add))


def _attention(config: ViTConfig) -> Group:
    heads = f"{config.num_heads} head{'s' * (config.num_heads != 1)}"
    rotated = "; queries and keys are rotated by position (RoPE)" if config.rope is not None else ""
    bias = " A relative position bias is added." if config.relative_position_bias else ""
    weights = (
        "The difference of two softmaxes gives weights with signs."
        if config.differential
        else "Softmax turns scores into weights."
    )
    return Group(
        "attention",
        "Attention",
        "",
        (
            Step(
                "attention",
                "attention",
                heads,
                "Each token collects information from all tokens.",
                ("attention/idea", "attention/reach"),
            ),
            Step("qkv", "q k v", "", f"Query, key and value of each token{rotated}.", ("attention/qkv",)),
            Step("scores", "scores", "", f"Dot products of queries and keys.{bias}", ("attention/scores",)),
            Step("softmax", "softmax", "", weights, ("attention/softmax",)),
            Step("values", "values", "", "Values are summed with these weights, head by head.", ("attention/values",)),
        ),
    )


def _mlp(config: ViTConfig) -> Step:
    gated = "gated " if config.mlp == "gated" else ""
    meaning = f"A {gated}network with {config.mlp_dim:,} hidden values, applied to each token separately."
    return Step("mlp", "MLP", f"{config.mlp_dim:,}", meaning, (NETWORK,))


def _norm(config: ViTConfig, name: str, of: str, sections: tuple[Section, ...]) -> Step:
    label, kind = {"layer": ("LN", "LayerNorm"), "rms": ("RMS", "RMSNorm")}[config.norm]
    return Step(name, label, "", f"{kind} of {of}.", sections)


def _output(config: ViTConfig, classes: bool) -> Iterator[Step]:
    """Yield the steps after the last block."""
    if config.final_norm:
        yield _norm(config, "norm", "each token", OUTPUT)
    label = {
        "token": "CLS",
        "mean": "mean",
        "token+mean": "CLS, mean",
        "attention": "pooling",
        "distilled": "CLS, dist.",
    }[config.pooling]
    yield Step("pooling", label, "", f"The output comes from {config.pooling_description}.", OUTPUT)
    if config.fc_norm:
        yield _norm(config, "fc_norm", "the pooled feature", OUTPUT)
    if classes:
        yield Step("output", "classes", f"{config.num_classes:,}", "The classifier: one logit for each class.", OUTPUT)
    else:
        count = config.num_classes or config.feature_dim
        yield Step("output", "feature", f"{count:,}", f"{count:,} numbers that describe the image.", OUTPUT)
