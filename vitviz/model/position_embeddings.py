"""How a token knows where its patch is: learned vectors, rotations, or a bias for every distance."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Resampling, RoPE, ViTConfig

Grid = tuple[int, int]  # rows and columns of patches
Rotation = tuple[Tensor, Tensor]  # cosine and sine, [head or 1, token, channel]


def resampled(positions: Tensor, trained: Grid, grid: Grid, prefix: int, how: Resampling) -> Tensor:
    """Learned positions for another grid; those of prefix tokens, which have no place, stay as they are.

    Args:
        positions: [1, prefix + patches of the trained grid, D].
        trained: the grid they were trained for.
        grid: the grid that is wanted.
        prefix: how many prefix tokens there are.
        how: the interpolation.

    Returns:
        [1, prefix + rows * columns, D].
    """
    if grid == trained and not how.always:
        return positions
    first, patches = positions.split([prefix, positions.shape[1] - prefix], dim=1)
    # The filter of a picture is that of its columns after that of its rows, so two small products do it.
    sides = (max(grid), max(grid)) if how.square else grid
    rows, columns = (
        _filter(*lengths, how)[:wanted].to(patches) for *lengths, wanted in zip(trained, sides, grid, strict=True)
    )
    patches = (rows @ patches[0].unflatten(0, trained).flatten(1)).unflatten(1, (trained[1], -1))  # row column width
    return torch.cat([first, (columns @ patches).flatten(0, 1)[None]], dim=1)


@lru_cache(maxsize=256)
def _filter(trained: int, wanted: int, how: Resampling) -> Tensor:
    """The matrix that resamples along one side of the grid: [wanted, trained]."""
    each = torch.eye(trained)[None, None]  # a picture whose columns are the places, made higher or lower
    options = {"mode": how.mode, "antialias": how.antialias, "align_corners": how.align_corners}
    return F.interpolate(each, (wanted, trained), **options)[0, 0]


def coordinates(rotary: RoPE, grid: Grid) -> Tensor:
    """Row and column of every patch as rotary positions count them, float32 [patch, 2]."""
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
    """The rotations of queries and keys; see `Rotary`.

    Channels 2i and 2i + 1 of a head form pair i. Prefix tokens have no place and are not turned.
    """

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.rotary = config.rope
        self.prefix = config.num_prefix_tokens
        layers, heads = (config.depth, config.num_heads) if config.rope.per_layer else (1, 1)
        self.freqs = nn.Parameter(torch.zeros(layers, heads, 2, config.head_dim // 2))  # radians per row, per column

    def forward(self, grid: Grid) -> list[Rotation]:
        """Cosines and sines for each layer (or once, if all layers share them)."""
        angles = coordinates(self.rotary, grid) @ self.freqs  # layer head patch pair
        angles = F.pad(angles, (0, 0, self.prefix, 0)).repeat_interleave(2, dim=-1)  # layer head token channel
        return list(zip(angles.cos(), angles.sin(), strict=True))


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn each pair of channels of [batch, head, token, channel] by its angle."""
    cosine, sine = rotation
    turned = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
    return x * cosine + turned * sine


class RelativeBias(nn.Module):
    """A learned number for each head and each distance between query and key, added to the score.

    Bao et al. 2022, "BEiT", https://arxiv.org/abs/2106.08254, appendix; as in Swin (Liu et al. 2021, equation 4), with
    three more numbers for the class token: as query, as key, and for itself.
    """

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.trained = config.grid
        self.table = nn.Parameter(torch.zeros(_distances(config.grid) + 3, config.num_heads))

    def forward(self, grid: Grid, queries: slice = slice(None), keys: slice = slice(None)) -> Tensor:
        """The bias of queries and keys, of all of them if not said otherwise: [head, query, key]."""
        return self.for_grid(grid)[relative_index(grid)[queries, keys]].permute(2, 0, 1)

    def for_grid(self, grid: Grid) -> Tensor:
        """The table for a grid, [(2 rows - 1) (2 columns - 1) + 3, head].

        Another grid than the trained one is reached as BEiT's fine-tuning does: known distances are spread out
        geometrically, dense near 0, and the values between them interpolated linearly.
        """
        if grid == self.trained:
            return self.table
        known = _distances(self.trained)
        down, across = (_interpolation(old, new) for old, new in zip(self.trained, grid, strict=True))
        table = self.table[:known].unflatten(0, (down.shape[1], across.shape[1]))  # row column head
        table = torch.einsum("ir,jc,rch->ijh", down.to(table), across.to(table), table).flatten(0, 1)
        return torch.cat([table, self.table[known:]])


@lru_cache(maxsize=64)
def relative_index(grid: Grid) -> Tensor:
    """Which row of the table belongs to each query and key, int64 [token, token]; the class token is token 0.

    Shared by all who ask for the same grid: not to be changed.
    """
    rows, columns = grid
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    down, across = (places[:, None] - places[None]).unbind(-1)
    index = (down + rows - 1) * (2 * columns - 1) + across + columns - 1
    index = F.pad(index, (1, 0, 1, 0))
    distances = _distances(grid)
    index[0], index[:, 0], index[0, 0] = distances, distances + 1, distances + 2
    return index


@lru_cache(maxsize=64)
def _interpolation(trained: int, wanted: int) -> Tensor:
    """The matrix that interpolates along one side of a table: [2 wanted - 1, 2 trained - 1]."""
    known_at = _spread(trained - 1, wanted - 1)
    distances = np.arange(1 - wanted, wanted)
    return torch.from_numpy(np.stack([np.interp(distances, known_at, one) for one in np.eye(len(known_at))], axis=1))


def _distances(grid: Grid) -> int:
    return (2 * grid[0] - 1) * (2 * grid[1] - 1)


def _spread(steps: int, reach: int) -> np.ndarray:
    """Places of the trained distances -steps to steps on a grid whose largest distance is `reach`.

    The gap between neighbours grows by a factor q, found by bisection as BEiT's code does so that the outermost place
    is about `reach`.
    """
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        q = (low + high) / 2
        low, high = (low, q) if (1 - q**steps) / (1 - q) > reach else (q, high)
    outward = np.cumsum(q ** np.arange(steps))
    return np.concatenate([-outward[::-1], [0.0], outward])
