"""The shape of a Vision Transformer: everything about it but its weights."""

from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from ..errors import ModelError
from ..errors.arguments import at_least, checked_grid, number, of_kind, shown

POOL = "pool"  # what the attention of a pooling is called where a layer's is asked for

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "silu"]
Mlp = Literal["plain", "gated"]
Norm = Literal["layer", "rms"]
BlockKind = Literal["pre", "post", "parallel"]
OutputKind = Literal["classes", "independent", "embedding", "values"]  # what a model's outputs are
Pooling = Literal["token", "mean", "token+mean", "attention", "distilled"]


@dataclass(frozen=True)
class RoPE:
    """Rotary positions: queries and keys are turned by angles that depend on the place of their patch.

    The angle of a pair of channels is the product of the patch's coordinates (row, column) with the pair's frequencies
    (`rope.freqs` in the weights). Su et al. 2021, "RoFormer", section 3.4; for images: Heo et al. 2024, "Rotary
    Position Embedding for Vision Transformer", https://arxiv.org/abs/2403.13298, section 3.
    """

    grid: Literal["index", "centred"] = "index"  # coordinates: row and column numbers, or -1 to 1 over the image
    offset: float = 0.0  # added to row and column numbers
    reference: tuple[int, int] | None = None  # rows and columns that every grid is stretched to (EVA-02); None: none
    divide_by: Literal["separate", "min", "max"] = "separate"  # side that centred coordinates are divided by
    per_layer: bool = False  # whether every layer and every head has frequencies of its own (learned ones)


@dataclass(frozen=True)
class Resampling:
    """How learned positions are brought to another grid; the default is that of timm's `resample_abs_pos_embed`."""

    mode: Literal["bicubic", "bilinear"] = "bicubic"
    antialias: bool = True
    align_corners: bool = False  # whether the outermost places stay where they are
    square: bool = False  # whether to resample to a square of the longer side and cut (NaFlex, "aspect preserving")
    always: bool = False  # whether to do so for the trained grid too, if that is not square (factorised NaFlex)


@dataclass(frozen=True)
class ViTConfig:
    """The shape of a Vision Transformer. The defaults are ViT-S/16 without a classifier.

    What models merely store differently is not here: a missing bias is zeros, a missing LayerScale ones.
    """

    image_size: tuple[int, int] = (224, 224)  # height and width, pixels, that the learned positions were trained for
    patch_size: int = 16  # side of a patch, pixels
    in_chans: int = 3  # colour channels of the input
    stem: bool = False  # whether a convolutional network stands before the projection, so that patches overlap
    embed_dim: int = 384  # D, channels of a token
    depth: int = 12  # L, number of blocks
    num_heads: int = 6  # attention heads of a block
    head_dim: int = 64  # channels of one head's queries, keys and values
    mlp_dim: int = 1536  # hidden channels of the MLP
    num_classes: int = 0  # outputs of the classifier; 0: none, the model returns its pooled feature
    class_token: bool = True  # whether a class token stands before the patches
    num_registers: int = 0  # further tokens without a place, between the class token and the patches
    position_embedding: bool = True  # whether every token has a learned vector added that says where it is
    resampling: Resampling = Resampling()  # how those are brought to another grid
    rope: RoPE | None = None  # whether queries and keys are turned by their place
    relative_position_bias: bool = False  # whether scores have a learned bias for each distance (BEiT)
    qk_norm: bool = False  # whether queries and keys are normalised per head
    differential: bool = False  # whether weights are the difference of two softmaxes (Ye et al. 2024)
    attention_norm: bool = False  # whether what the heads found is normalised before it is projected
    mlp: Mlp = "plain"  # one projection up and one down, or a gated pair
    mlp_norm: bool = False  # whether the MLP's hidden channels are normalised
    activation: Activation = "gelu"  # of the MLP
    norm: Norm = "layer"  # LayerNorm or RMSNorm
    norm_eps: float = 1e-6  # added to the variance
    block: BlockKind = "pre"  # norms before each half of a block, after it, or both halves side by side
    patch_norm: bool = False  # whether patches are normalised right after the projection (AIMv2)
    pre_norm: bool = False  # whether the tokens are normalised once more before the first block (CLIP)
    final_norm: bool = True  # whether the tokens are normalised after the last block
    fc_norm: bool = False  # whether the pooled feature is
    pooling: Pooling = "token"  # what becomes the model's feature
    pool_include_prefix: bool = False  # whether mean and attention pooling also read the tokens before the patches
    pool_num_heads: int = 0  # heads of the attention pooling
    pool_mlp_dim: int = 0  # hidden channels of its MLP
    pool_activation: Activation = "gelu"  # and its activation

    @property
    def num_prefix_tokens(self) -> int:
        """How many tokens stand before the patches."""
        return int(self.class_token) + self.num_registers

    @property
    def prefix_token_names(self) -> tuple[str, ...]:
        """The prefix tokens in order, in words: `"class token"`, `"register 1"`, ..."""
        if self.pooling == "distilled":
            return ("class token", "distillation token")
        registers = tuple(f"register {i + 1}" for i in range(self.num_registers))
        return ("class token", *registers) if self.class_token else registers

    @property
    def pooling_description(self) -> str:
        """What the model's output comes from, in words that finish a sentence."""
        return {
            "token": "the class token",
            "mean": "the mean of all tokens"
            if self.pool_include_prefix and self.num_prefix_tokens
            else "the mean of the patches",
            "token+mean": "the class token and the mean of the patches",
            "attention": "what one more attention finds, whose query is learned",
            "distilled": "the mean of class and distillation token",
        }[self.pooling]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches that the learned positions were trained for."""
        return self.image_size[0] // self.patch_size, self.image_size[1] // self.patch_size

    @property
    def feature_dim(self) -> int:
        """Channels of what the classifier reads."""
        return self.embed_dim * (2 if self.pooling == "token+mean" else 1)

    @property
    def scale(self) -> float:
        """What a product of query and key is multiplied with before the softmax, 1 / sqrt(channels)."""
        return (self.head_dim / (2 if self.differential else 1)) ** -0.5


def checked(config: ViTConfig, labels: int = 0, stem: bool = False) -> ViTConfig:
    """The configuration, if the forward pass of `vitviz.model.vit` computes it, with Python's own numbers.

    Args:
        config: the configuration.
        labels: how many names of classes are given with it; 0 if there are none.
        stem: whether a stem is given with it.

    Raises:
        ModelError: if it contradicts itself, or names a part that does not exist.
        ArgumentError: if a field is of the wrong type or too small.
    """
    config = _checked_fields(config)
    contradictions = {
        "images smaller than a patch": min(config.grid) < 1,
        "token pooling without a class token": "token" in config.pooling and not config.class_token,
        "distilled pooling without class and distillation token": config.pooling == "distilled"
        and config.num_prefix_tokens != 2,
        "attention pooling without heads": config.pooling == "attention" and not config.pool_num_heads,
        "channels that the heads of its pooling cannot share": config.pool_num_heads > 0
        and config.pooling == "attention"
        and config.embed_dim % config.pool_num_heads != 0,
        "differential attention on an odd number of channels": config.differential and config.head_dim % 2 == 1,
        "relative positions without exactly a class token": config.relative_position_bias
        and config.num_prefix_tokens != 1,
        "differential attention with normalised queries and keys": config.differential and config.qk_norm,
        "rotary positions on an odd number of channels": config.rope is not None and config.head_dim % 2 == 1,
        "a stem that is not given, or one that is not expected": config.stem != stem,
        f"{labels} labels for {config.num_classes} classes": labels not in (0, config.num_classes),
    }
    for what, holds in contradictions.items():
        if holds:
            raise ModelError(f"This configuration has {what}; that cannot be represented.")
    return config


_Part = TypeVar("_Part")
_AT_LEAST_1 = ("patch_size", "in_chans", "embed_dim", "num_heads", "head_dim", "mlp_dim")


def _checked_fields(part: _Part) -> _Part:
    """A configuration, or a part of one, with Python's own numbers, refused if one is of another type or too small."""
    plain = {name: _checked_field(name, kind, getattr(part, name)) for name, kind in get_type_hints(type(part)).items()}
    changed = {name: value for name, value in plain.items() if value is not getattr(part, name)}
    return replace(part, **changed) if changed else part


def _checked_field(name: str, kind: Any, value: object) -> object:
    choices = get_args(kind)
    if choices and isinstance(choices[0], str):
        if not isinstance(value, str) or value not in choices:
            raise ModelError(
                f"This model has {name} = {shown(value)}; only {', '.join(map(repr, choices))} can be represented."
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
