"""Layers of a Vision Transformer: norms, MLPs, LayerScale."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ViTConfig


def quick_gelu(x: Tensor) -> Tensor:
    """Compute OpenAI's approximation of GELU, x sigmoid(1.702 x)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "silu": F.silu,
}


def make_norm(config: ViTConfig, channels: int) -> nn.Module:
    """Create a norm layer of the configured kind."""
    kind = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}[config.norm]
    return kind(channels, eps=config.norm_eps)


def norm_if(enabled: bool, config: ViTConfig, channels: int) -> nn.Module:
    """Create a norm layer if it is enabled, otherwise an identity."""
    return make_norm(config, channels) if enabled else nn.Identity()


class PlainMlp(nn.Module):
    """MLP of two linear layers with an activation function and optionally a norm between them."""

    def __init__(self, embed_dim: int, hidden_dim: int, activation: str, norm: nn.Module | None = None):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.norm = norm or nn.Identity()
        self.fc2 = nn.Linear(hidden_dim, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the same shape."""
        return self.fc2(self.norm(self.activation(self.fc1(x))))


class GatedMlp(nn.Module):
    """Gated MLP (Shazeer 2020, "GLU Variants Improve Transformer", https://arxiv.org/abs/2002.05202)."""

    def __init__(self, embed_dim: int, hidden_dim: int, activation: str, norm: nn.Module | None = None):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.fc1_g = nn.Linear(embed_dim, hidden_dim)
        self.fc1_x = nn.Linear(embed_dim, hidden_dim)
        self.norm = norm or nn.Identity()
        self.fc2 = nn.Linear(hidden_dim, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the same shape."""
        return self.fc2(self.norm(self.activation(self.fc1_g(x)) * self.fc1_x(x)))


def make_mlp(config: ViTConfig) -> nn.Module:
    """Create the MLP of a configuration."""
    kind = {"plain": PlainMlp, "gated": GatedMlp}[config.mlp]
    norm = make_norm(config, config.mlp_dim) if config.mlp_norm else None
    return kind(config.embed_dim, config.mlp_dim, config.activation, norm)


class LayerScale(nn.Module):
    """Learned scale per channel of a sublayer's output; ones for models without LayerScale."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(config.embed_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, token, D] to the same shape."""
        return x * self.gamma
