"""Configuration of a Vision Transformer: its architecture without the weights."""

from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from ..errors import ModelError
from ..errors.arguments import at_least, checked_grid, number, of_kind, shown

POOL = "pool"  # `layer` argument for the attention of a pooling; prefix of its hook points

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "silu"]
Mlp = Literal["plain", "gated"]
Norm = Literal["layer", "rms"]
BlockKind = Literal["pre", "post", "parallel"]
OutputKind = Literal["classes", "independent", "embedding", "values"]  # see `vitviz.model.vit.ViT`
Pooling = Literal["token", "mean", "token+mean", "attention", "distilled"]


@dataclass(frozen=True)
class RoPE:
    """Rotary position embedding: rotates queries and keys by angles that depend on the position of the patch.

    The angle of a pair of channels is the dot product of the patch's coordinates (row, column) and the frequencies of
    the pair (`rope.freqs` in the weights). Su et al. 2021, "RoFormer", section 3.4; for images: Heo et al. 2024,
    "Rotary Position Embedding for Vision Transformer", https://arxiv.org/abs/2403.13298, section 3.
    """

    grid: Literal["index", "centred"] = "index"  # coordinates: row and column indices, or -1 to 1 across the image
    offset: float = 0.0  # added to row and column indices
    reference: tuple[int, int] | None = None  # rows and columns that every grid is scaled to (EVA-02); None: no scaling
    divide_by: Literal["separate", "min", "max"] = "separate"  # divisor of centred coordinates: own, min or max side
    per_layer: bool = False  # separate learned frequencies for each layer and head


@dataclass(frozen=True)
class Resampling:
    """Interpolation of position embeddings to another grid; the default is timm's `resample_abs_pos_embed`."""

    mode: Literal["bicubic", "bilinear"] = "bicubic"
    antialias: bool = True
    align_corners: bool = False  # keep the positions of the outermost patches
    square: bool = False  # resample to a square of the longer side and crop (NaFlex, "aspect preserving")
    always: bool = False  # resample for the trained grid too (factorised NaFlex, if that grid is not square)


@dataclass(frozen=True)
class ViTConfig:
    """Configuration of a Vision Transformer. The defaults are ViT-S/16 without a classifier.

    Differences that concern storage only are not represented: a missing bias is zeros, a missing LayerScale is ones.
    """

    image_size: tuple[int, int] = (224, 224)  # height and width in training, pixels; sets the grid of `pos_embed`
    patch_size: int = 16  # side of a patch, pixels
    in_chans: int = 3  # colour channels of the input
    stem: bool = False  # convolutional network before the patch projection, so that patches overlap
    embed_dim: int = 384  # D, dimension of the tokens
    depth: int = 12  # L, number of blocks
    num_heads: int = 6  # attention heads of a block
    head_dim: int = 64  # dimension of a head's queries, keys and values
    mlp_dim: int = 1536  # hidden dimension of the MLP
    num_classes: int = 0  # number of classes; 0: no classifier, the model returns its pooled feature
    class_token: bool = True  # class token before the patches
    num_registers: int = 0  # register tokens between the class token and the patches
    position_embedding: bool = True  # learned position embeddings, added to all tokens
    resampling: Resampling = Resampling()  # interpolation of the position embeddings to another grid
    rope: RoPE | None = None  # rotary position embedding
    relative_position_bias: bool = False  # learned bias of the scores for each relative position (BEiT)
    qk_norm: bool = False  # norm of queries and keys, per head
    differential: bool = False  # attention weights are the difference of two softmaxes (Ye et al. 2024)
    attention_norm: bool = False  # norm of the concatenated head outputs, before the output projection
    mlp: Mlp = "plain"  # two linear layers, or gated
    mlp_norm: bool = False  # norm of the MLP's hidden activations
    activation: Activation = "gelu"  # activation function of the MLP
    norm: Norm = "layer"  # LayerNorm or RMSNorm
    norm_eps: float = 1e-6  # added to the variance
    block: BlockKind = "pre"  # norm before each sublayer, norm after each sublayer, or parallel sublayers
    patch_norm: bool = False  # norm of the patch embeddings, right after the projection (AIMv2)
    pre_norm: bool = False  # norm of the tokens before the first block (CLIP)
    final_norm: bool = True  # norm of the tokens after the last block
    fc_norm: bool = False  # norm of the pooled feature
    pooling: Pooling = "token"  # pooling of the tokens to the feature
    pool_include_prefix: bool = False  # mean and attention pooling read the prefix tokens too
    pool_num_heads: int = 0  # heads of the attention pooling
    pool_mlp_dim: int = 0  # hidden dimension of the attention pooling's MLP
    pool_activation: Activation = "gelu"  # activation function of the attention pooling's MLP

    @property
    def num_prefix_tokens(self) -> int:
        """Number of prefix tokens: class token and registers."""
        return int(self.class_token) + self.num_registers

    @property
    def prefix_token_names(self) -> tuple[str, ...]:
        """Names of the prefix tokens in order: `"class token"`, `"register 1"`, ..."""
        if self.pooling == "distilled":
            return ("class token", "distillation token")
        registers = tuple(f"register {i + 1}" for i in range(self.num_registers))
        return ("class token", *registers) if self.class_token else registers

    @property
    def pooling_description(self) -> str:
        """Source of the model's output, as a noun phrase for use in a sentence."""
        distilled = "the class token and the distillation token"
        return {
            "token": "the class token",
            "mean": "the mean of all tokens"
            if self.pool_include_prefix and self.num_prefix_tokens
            else "the mean of the patches",
            "token+mean": "the class token and the mean of the patches",
            "attention": "attention pooling with a learned query",
            "distilled": f"{distilled}, each with a classifier of its own"
            if self.num_classes
            else f"the mean of {distilled}",
        }[self.pooling]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches at the training size."""
        return self.image_size[0] // self.patch_size, self.image_size[1] // self.patch_size

    @property
    def feature_dim(self) -> int:
        """Dimension of the pooled feature, the classifier's input."""
        return self.embed_dim * (2 if self.pooling == "token+mean" else 1)

    @property
    def scale(self) -> float:
        """Factor of the dot products of queries and keys before the softmax, 1 / sqrt(channels)."""
        return (self.head_dim / (2 if self.differential else 1)) ** -0.5


def checked(config: ViTConfig, labels: int = 0, stem: bool = False) -> ViTConfig:
    """Check that `vitviz.model.vit` supports a configuration; return it with numbers converted to Python's types.

    Args:
        config: configuration to check.
        labels: number of class names given with it; 0 for none.
        stem: True if a stem is given with it.

    Raises:
        ModelError: if it is contradictory, or names a part that does not exist.
        ArgumentError: if a field is of the wrong type or too small.
    """
    config = _checked_fields(config)
    contradictions = {
        "images smaller than a patch": min(config.grid) < 1,
        "token pooling, but no class token": "token" in config.pooling and not config.class_token,
        "distilled pooling, but not exactly a class token and a distillation token": config.pooling == "distilled"
        and config.num_prefix_tokens != 2,
        "attention pooling, but no heads for it": config.pooling == "attention" and not config.pool_num_heads,
        "an embed_dim that is not a multiple of pool_num_heads": config.pool_num_heads > 0
        and config.pooling == "attention"
        and config.embed_dim % config.pool_num_heads != 0,
        "differential attention with an odd head_dim": config.differential and config.head_dim % 2 == 1,
        "a relative position bias, but not exactly one prefix token": config.relative_position_bias
        and config.num_prefix_tokens != 1,
        "differential attention with normalised queries and keys": config.differential and config.qk_norm,
        "RoPE with an odd head_dim": config.rope is not None and config.head_dim % 2 == 1,
        f"stem={config.stem}, but {'a' if stem else 'no'} stem is given": config.stem != stem,
        f"{labels} labels for {config.num_classes} classes": labels not in (0, config.num_classes),
    }
    for problem, holds in contradictions.items():
        if holds:
            raise ModelError(f"This configuration has {problem}; that is not supported.")
    return config


_Part = TypeVar("_Part")
_AT_LEAST_1 = ("patch_size", "in_chans", "embed_dim", "num_heads", "head_dim", "mlp_dim")


def _checked_fields(part: _Part) -> _Part:
    """Check the types and ranges of all fields of a configuration, and convert numbers to Python's types."""
    plain = {name: _checked_field(name, kind, getattr(part, name)) for name, kind in get_type_hints(type(part)).items()}
    changed = {name: value for name, value in plain.items() if value is not getattr(part, name)}
    return replace(part, **changed) if changed else part


def _checked_field(name: str, kind: Any, value: object) -> object:
    choices = get_args(kind)
    if choices and isinstance(choices[0], str):
        if not isinstance(value, str) or value not in choices:
            raise ModelError(
                f"This model has {name}={shown(value)}; only {', '.join(map(repr, choices))} are supported."
            )
        return value
    of_kind(value, kind, name)
    if kind is int:
        return at_least(value, int(name in _AT_LEAST_1), name)
    if kind is float:
        return number(value, *((0, 1) if name == "norm_eps" else (-1e6, 1e6)), name)
    if kind is bool:
        return bool(value)
    if is_dataclass(value):
        return _checked_fields(value)
    if value is None:
        return None
    grid = checked_grid(value)
    return value if isinstance(value, tuple) and all(type(side) is int for side in value) else grid
