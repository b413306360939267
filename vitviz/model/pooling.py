"""Pooling of the tokens to the model's feature: class token, mean, or attention with a learned query."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import POOL, ViTConfig
from .hooks import HookPoint
from .layers import PlainMlp, make_norm


class TokenPool(nn.Module):
    """Pooling by the class token."""

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the feature [batch, D]."""
        return x[:, 0]


class MeanPool(nn.Module):
    """Pooling by the mean of the patches, or of all tokens (`pool_include_prefix`)."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.first = 0 if config.pool_include_prefix else config.num_prefix_tokens

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the feature [batch, D]."""
        return x[:, self.first :].mean(dim=1)


class TokenAndMeanPool(nn.Module):
    """Concatenation of the class token and the mean of the patches (Oquab et al. 2024, DINOv2, appendix B.3)."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.first = config.num_prefix_tokens

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the feature [batch, 2 D]."""
        return torch.cat([x[:, 0], x[:, self.first :].mean(dim=1)], dim=-1)


class DistilledPool(nn.Module):
    """Class token and distillation token, one for each classifier (Touvron et al. 2021, DeiT, section 4)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the two features [batch, 2, D]."""
        return x[:, :2]


class DistilledHead(nn.Module):
    """Mean of the logits of two classifiers, one for each token; without classes, the mean of the two tokens."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        for name in ("token", "distilled"):
            self.add_module(
                name, nn.Linear(config.embed_dim, config.num_classes) if config.num_classes else nn.Identity()
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map the two features [batch, 2, D] to logits [batch, class]."""
        return (self.token(x[:, 0]) + self.distilled(x[:, 1])) / 2


class AttentionPool(nn.Module):
    """Attention pooling: a learned query attends to the tokens, followed by an MLP.

    Lee et al. 2019, "Set Transformer", https://arxiv.org/abs/1810.00825, section 3.2; Zhai et al. 2022, "Scaling Vision
    Transformers", section 2 ("MAP"). The query does not depend on the image, so `q` stores it after the projection,
    [head, channel].
    """

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.heads = config.pool_num_heads
        self.scale = (config.embed_dim // config.pool_num_heads) ** -0.5
        self.first = 0 if config.pool_include_prefix else config.num_prefix_tokens
        self.q = nn.Parameter(torch.zeros(config.pool_num_heads, config.embed_dim // config.pool_num_heads))
        self.kv = nn.Linear(config.embed_dim, 2 * config.embed_dim)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)
        self.norm = make_norm(config, config.embed_dim)
        self.mlp = PlainMlp(config.embed_dim, config.pool_mlp_dim, config.pool_activation)
        self.k = HookPoint(f"{POOL}.k")
        self.v = HookPoint(f"{POOL}.v")
        self.scores = HookPoint(f"{POOL}.scores")
        self.weights = HookPoint(f"{POOL}.weights")
        self.z = HookPoint(f"{POOL}.z")
        self.out = HookPoint(f"{POOL}.out")

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the feature [batch, D]."""
        k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.kv(x[:, self.first :]).chunk(2, -1)
        )
        k, v = self.k(k), self.v(v)  # batch head token channel
        if self.scores.has_listeners() or self.weights.has_listeners():
            z = self.weights(self.scores(self.score(k)).softmax(dim=-1)) @ v
        else:
            z = F.scaled_dot_product_attention(self.q[:, None].expand(len(x), -1, -1, -1), k, v, scale=self.scale)
        x = self.proj(self.z(z).flatten(1))  # batch head 1 channel -> batch D
        return self.out(x + self.mlp(self.norm(x)))

    def score(self, k: Tensor) -> Tensor:
        """Compute the scaled dot products of the query with keys [..., head, token, channel]: [..., head, 1, token]."""
        return self.q.to(k)[:, None] @ k.mT * self.scale


def make_pool(config: ViTConfig) -> nn.Module:
    """Create the pooling of a configuration (`attn_pool` in the weights)."""
    pools = {
        "token": lambda _: TokenPool(),
        "mean": MeanPool,
        "token+mean": TokenAndMeanPool,
        "attention": AttentionPool,
        "distilled": lambda _: DistilledPool(),
    }
    return pools[config.pooling](config)


def make_head(config: ViTConfig) -> nn.Module:
    """Create the classifier, or an identity for a model without classes."""
    if config.pooling == "distilled":
        return DistilledHead(config)
    return nn.Linear(config.feature_dim, config.num_classes) if config.num_classes else nn.Identity()
