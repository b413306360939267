"""Position embeddings: learned vectors, rotary embeddings (RoPE), and relative position biases."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Resampling, RoPE, ViTConfig

Grid = tuple[int, int]  # rows and columns of patches
Rotation = tuple[Tensor, Tensor]  # cosine and sine, [head or 1, token, channel]


def resampled(positions: Tensor, trained: Grid, grid: Grid, prefix: int, how: Resampling) -> Tensor:
    """Resample position embeddings to another grid; those of prefix tokens are not changed.

    Args:
        positions: position embeddings [1, prefix + patches of the trained grid, D].
        trained: grid at the training size.
        grid: target grid.
        prefix: number of prefix tokens.
        how: interpolation.

    Returns:
        Position embeddings [1, prefix + rows * columns, D].
    """
    if grid == trained and not how.always:
        return positions
    first, patches = positions.split([prefix, positions.shape[1] - prefix], dim=1)
    # The interpolation is separable, so it is two small matrix products.
    sides = (max(grid), max(grid)) if how.square else grid
    rows, columns = (
        _filter(*lengths, how)[:length].to(patches) for *lengths, length in zip(trained, sides, grid, strict=True)
    )
    patches = (rows @ patches[0].unflatten(0, trained).flatten(1)).unflatten(1, (trained[1], -1))  # row column D
    return torch.cat([first, (columns @ patches).flatten(0, 1)[None]], dim=1)


@lru_cache(maxsize=256)
def _filter(trained: int, length: int, how: Resampling) -> Tensor:
    """Matrix that resamples along one side of the grid, [length, trained]."""
    each = torch.eye(trained)[None, None]  # unit vectors as the columns of an image, which is resized vertically
    options = {"mode": how.mode, "antialias": how.antialias, "align_corners": how.align_corners}
    return F.interpolate(each, (length, trained), **options)[0, 0]


def coordinates(rotary: RoPE, grid: Grid) -> Tensor:
    """Compute the coordinates (row, column) of all patches for RoPE, float32 [patch, 2]."""
    rows, columns = (torch.arange(count, dtype=torch.float32) for count in grid)
    if rotary.grid == "centred":
        across = {"separate": grid, "min": (min(grid),) * 2, "max": (max(grid),) * 2}[rotary.divide_by]
        rows, columns = (2 * (x + 0.5 + rotary.offset) / y - 1 for x, y in zip((rows, columns), across, strict=True))
    else:
        rows, columns = rows + rotary.offset, columns + rotary.offset
        if rotary.reference is not None:
            rows, columns = rows / grid[0] * rotary.reference[0], columns / grid[1] * rotary.reference[1]
    return torch.cartesian_prod(rows, columns)


class RotaryEmbedding(nn.Module):
    """Rotary position embedding of queries and keys; see `vitviz.model.config.RoPE`.

    Channels 2i and 2i + 1 of a head form pair i. Prefix tokens have no position and are not rotated.
    """

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.rotary = config.rope
        self.prefix = config.num_prefix_tokens
        layers, heads = (config.depth, config.num_heads) if config.rope.per_layer else (1, 1)
        self.freqs = nn.Parameter(torch.zeros(layers, heads, 2, config.head_dim // 2))  # radians per row, per column

    def forward(self, grid: Grid) -> list[Rotation]:
        """Compute cosines and sines for each layer (or one entry, if all layers share them)."""
        angles = coordinates(self.rotary, grid).to(self.freqs.device) @ self.freqs.float()  # layer head patch pair
        angles = F.pad(angles, (0, 0, self.prefix, 0)).repeat_interleave(2, dim=-1)  # layer head token channel
        return list(zip(angles.cos().to(self.freqs), angles.sin().to(self.freqs), strict=True))


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotate each pair of channels of [batch, head, token, channel] by its angle."""
    cosine, sine = rotation
    rotated = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
    return x * cosine + rotated * sine


class RelativeBias(nn.Module):
    """Relative position bias: learned for each head and each offset between query and key, added to the scores.

    Bao et al. 2022, "BEiT", https://arxiv.org/abs/2106.08254, appendix; as in Swin (Liu et al. 2021, equation 4), with
    three more entries for the class token: as query, as key, and as both.
    """

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.trained = config.grid
        self.table = nn.Parameter(torch.zeros(_num_offsets(config.grid) + 3, config.num_heads))

    def forward(self, grid: Grid, queries: slice = slice(None), keys: slice = slice(None)) -> Tensor:
        """Compute the bias [head, query, key], by default for all queries and keys."""
        return self.for_grid(grid)[relative_index(grid)[queries, keys]].permute(2, 0, 1)

    def for_grid(self, grid: Grid) -> Tensor:
        """Return the bias table for a grid, [(2 rows - 1) (2 columns - 1) + 3, head].

        For another grid than the trained one, the table is interpolated linearly as in BEiT's fine-tuning, from
        trained offsets that are spaced geometrically, dense near 0.
        """
        if grid == self.trained:
            return self.table
        count = _num_offsets(self.trained)
        down, across = (_interpolation(old, new) for old, new in zip(self.trained, grid, strict=True))
        table = self.table[:count].unflatten(0, (down.shape[1], across.shape[1]))  # row column head
        table = torch.einsum("ir,jc,rch->ijh", down.to(table), across.to(table), table).flatten(0, 1)
        return torch.cat([table, self.table[count:]])


@lru_cache(maxsize=64)
def relative_index(grid: Grid) -> Tensor:
    """Return the row of the bias table for each query and key, int64 [token, token]; token 0 is the class token.

    The result is cached and must not be changed.
    """
    rows, columns = grid
    positions = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    down, across = (positions[:, None] - positions[None]).unbind(-1)
    index = (down + rows - 1) * (2 * columns - 1) + across + columns - 1
    index = F.pad(index, (1, 0, 1, 0))
    count = _num_offsets(grid)
    index[0], index[:, 0], index[0, 0] = count, count + 1, count + 2
    return index


@lru_cache(maxsize=64)
def _interpolation(trained: int, length: int) -> Tensor:
    """Matrix that interpolates along one side of the bias table, [2 length - 1, 2 trained - 1]."""
    knots = _geometric_offsets(trained - 1, length - 1)
    offsets = np.arange(1 - length, length)
    return torch.from_numpy(np.stack([np.interp(offsets, knots, one) for one in np.eye(len(knots))], axis=1))


def _num_offsets(grid: Grid) -> int:
    return (2 * grid[0] - 1) * (2 * grid[1] - 1)


def _geometric_offsets(steps: int, reach: int) -> np.ndarray:
    """Place the trained offsets -steps to steps on a grid whose largest offset is `reach`.

    The distance between neighbours grows by a factor q. As in BEiT's code, q is found by bisection, so that the
    outermost offset is about `reach`.
    """
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        q = (low + high) / 2
        low, high = (low, q) if (1 - q**steps) / (1 - q) > reach else (q, high)
    outward = np.cumsum(q ** np.arange(steps))
    return np.concatenate([-outward[::-1], [0.0], outward])
