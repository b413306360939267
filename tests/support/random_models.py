"""Small random models with kinds of attention that the shipped models do not have, and traces of noise."""

from dataclasses import replace
from functools import cache

import torch

import vitviz

PLAIN = vitviz.ViTConfig(
    image_size=(32, 48), patch_size=8, embed_dim=24, depth=3, num_heads=3, head_dim=8, mlp_dim=48, num_classes=5
)
POOL = {"pooling": "attention", "pool_mlp_dim": 48}
CONFIGS = {
    "pooled": replace(PLAIN, class_token=False, pool_num_heads=4, **POOL),  # more heads than the blocks have
    "pooled with prefix": replace(
        PLAIN, num_registers=2, pool_num_heads=2, **POOL
    ),  # fewer; prefix tokens are not read
    "pooled of all": replace(PLAIN, num_registers=1, pool_num_heads=3, pool_include_prefix=True, **POOL),
    "differential": replace(PLAIN, differential=True),
    "relative": replace(PLAIN, relative_position_bias=True),
    "rotary": replace(PLAIN, rope=vitviz.model.config.RoPE()),
    "mean": replace(PLAIN, class_token=False, pooling="mean"),
    "mean with registers": replace(PLAIN, class_token=False, num_registers=2, pooling="mean"),
    "distilled": replace(PLAIN, num_registers=1, pooling="distilled"),
}
POOLED = [kind for kind, config in CONFIGS.items() if config.pooling == "attention"]


def trace_of(kind: str, grid: tuple[int, int] = (4, 6)) -> vitviz.Trace:
    """Trace noise with a model of this kind."""
    return _trace(kind, CONFIGS[kind], grid)


@cache
def _trace(kind: str, config: vitviz.ViTConfig, grid: tuple[int, int]) -> vitviz.Trace:
    """Trace noise; tests may give a name of a kind to another configuration."""
    random = torch.Generator().manual_seed(3)
    model = vitviz.VisionTransformer(config, kind)
    for name, parameter in model.named_parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 2
        if name.endswith(".attn.lam"):
            parameter.data = torch.tensor(0.57) + 0.1 * parameter.data
    return model.requires_grad_(False).trace(torch.randn(3, 8 * grid[0], 8 * grid[1], generator=random))
