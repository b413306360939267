"""What another patch size would mean: arithmetic, and not another model."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ImageError
from ...errors.arguments import at_least, shown, typed


@dataclass(frozen=True)
class Sizes:
    """What follows from the size of the image and of a patch.

    Attributes:
        height: H, pixels.
        width: W, pixels.
        patch: P, side of a patch in pixels.
        channels: C, channels of a pixel.
        token_width: D, channels of a token; None if it is not asked for.
        prefix: how many tokens stand before the patches.
    """

    height: int
    width: int
    patch: int
    channels: int = 3
    token_width: int | None = None
    prefix: int = 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of whole patches."""
        return self.height // self.patch, self.width // self.patch

    @property
    def left_over(self) -> tuple[int, int]:
        """Rows and columns of pixels that do not fill a patch, and would have to be cut off."""
        return self.height % self.patch, self.width % self.patch

    @property
    def patches(self) -> int:
        """N, which is HW / P^2 if nothing is left over."""
        return self.grid[0] * self.grid[1]

    @property
    def vector(self) -> int:
        """P^2 C, numbers of a flattened patch."""
        return self.patch**2 * self.channels

    @property
    def tokens(self) -> int:
        """Length of the sequence: prefix tokens and patches."""
        return self.prefix + self.patches

    @property
    def projection_weights(self) -> int | None:
        """P^2 C D, numbers of W_LP; None without D."""
        return None if self.token_width is None else self.vector * self.token_width

    @property
    def attention_weights(self) -> int:
        """Weights of one head: every token to every token."""
        return self.tokens**2

    def cost(self, other: Sizes) -> float:
        """How many times the attention weights of another size: what attention costs, relative to that."""
        return self.attention_weights / other.attention_weights


@typed
def what_if(
    height: int, width: int, patch: int, channels: int = 3, token_width: int | None = None, prefix: int = 1
) -> Sizes:
    """What a patch size would mean for an image.

    Args:
        height: H, pixels.
        width: W, pixels.
        patch: P, side of a patch in pixels.
        channels: C, channels of a pixel.
        token_width: D, channels of a token.
        prefix: how many tokens stand before the patches.

    Raises:
        ImageError: if not one patch fits into the image.
        ArgumentError: if another number is not possible.
    """
    at_least(channels, 1, "The number of channels")
    at_least(prefix, 0, "The number of tokens before the patches")
    if token_width is not None:
        at_least(token_width, 1, "The number of channels of a token")
    if not 0 < patch <= min(height, width):
        raise ImageError(
            f"Patches of {shown(patch)} x {shown(patch)} pixels do not fit into an image of {shown(height)} x "
            f"{shown(width)}; give a smaller side."
        )
    return Sizes(height, width, patch, channels, token_width, prefix)
