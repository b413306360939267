"""Sequence sizes for other patch and image sizes, and the cost of a block, computed without running a model."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ImageError
from ...errors.arguments import at_least, shown, typed
from ...model.config import ViTConfig


@dataclass(frozen=True)
class SequenceSizes:
    """Sizes that follow from the image size and the patch size.

    Attributes:
        height: H, in pixels.
        width: W, in pixels.
        patch: P, side of a patch in pixels.
        channels: C, number of image channels.
        embed_dim: D, channels of a token; None if not needed.
        prefix: number of prefix tokens.
    """

    height: int
    width: int
    patch: int
    channels: int = 3
    embed_dim: int | None = None
    prefix: int = 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of complete patches."""
        return self.height // self.patch, self.width // self.patch

    @property
    def remainder(self) -> tuple[int, int]:
        """Rows and columns of pixels that do not fill a patch and would be cropped."""
        return self.height % self.patch, self.width % self.patch

    @property
    def patches(self) -> int:
        """Number of patches N, equal to HW / P^2 if there is no remainder."""
        return self.grid[0] * self.grid[1]

    @property
    def patch_dim(self) -> int:
        """Length of a flattened patch, P^2 C."""
        return self.patch**2 * self.channels

    @property
    def tokens(self) -> int:
        """Length of the sequence: prefix tokens and patches."""
        return self.prefix + self.patches

    @property
    def projection_weights(self) -> int | None:
        """Number of weights in W_LP, P^2 C D; None without D."""
        return None if self.embed_dim is None else self.patch_dim * self.embed_dim

    @property
    def attention_weights(self) -> int:
        """Number of attention weights of one head, tokens squared."""
        return self.tokens**2

    def matrix_growth(self, other: SequenceSizes) -> float:
        """Return the size of the attention matrix relative to another size, the squared ratio of the token counts.

        A whole block grows less, see `block_cost`.
        """
        return self.attention_weights / other.attention_weights


@typed
def sequence_sizes(
    height: int, width: int, patch: int, channels: int = 3, embed_dim: int | None = None, prefix: int = 1
) -> SequenceSizes:
    """Compute the sequence sizes for an image size and a patch size.

    Args:
        height: H, in pixels.
        width: W, in pixels.
        patch: P, side of a patch in pixels.
        channels: C, number of image channels.
        embed_dim: D, channels of a token.
        prefix: number of prefix tokens.

    Raises:
        ImageError: if the patch is larger than the image.
        ArgumentError: if another number is invalid.
    """
    at_least(channels, 1, "The number of channels")
    at_least(prefix, 0, "The number of prefix tokens")
    if embed_dim is not None:
        at_least(embed_dim, 1, "embed_dim")
    if not 0 < patch <= min(height, width):
        raise ImageError(
            f"Patches of {shown(patch)} x {shown(patch)} pixels do not fit into an image of {shown(height)} x "
            f"{shown(width)}; give a smaller side."
        )
    return SequenceSizes(height, width, patch, channels, embed_dim, prefix)


@dataclass(frozen=True)
class BlockCost:
    """Multiplications in the matrix products of one block, for one image.

    Norms, softmax, activation functions and biases are not counted.

    Attributes:
        projections: maps from tokens to queries, keys and values, and the output projection; grows with the number of
            tokens T: 4 T D (heads d).
        matrix: scores, and weighted sums of values; grows with T squared: 2 T^2 (heads d).
        mlp: linear layers of the MLP; grows with T.
    """

    projections: int
    matrix: int
    mlp: int

    @property
    def attention(self) -> int:
        """Multiplications of attention with its projections."""
        return self.projections + self.matrix

    @property
    def block(self) -> int:
        """Multiplications of the whole block."""
        return self.attention + self.mlp


@typed
def block_cost(config: ViTConfig, tokens: int) -> BlockCost:
    """Count the multiplications in the matrix products of one block.

    Args:
        config: configuration of the model; its patch size is not used.
        tokens: length of the sequence, prefix tokens included.

    Raises:
        ArgumentError: if the number of tokens is not a whole number of at least 1.
    """
    tokens = at_least(tokens, 1, "The number of tokens")
    inner_dim = config.num_heads * config.head_dim
    linear_layers = 3 if config.mlp == "gated" else 2
    return BlockCost(
        projections=4 * tokens * config.embed_dim * inner_dim,
        matrix=2 * tokens**2 * inner_dim,
        mlp=linear_layers * tokens * config.embed_dim * config.mlp_dim,
    )
