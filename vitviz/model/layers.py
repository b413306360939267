"""What the parts of a Vision Transformer are made of: norms, MLPs, LayerScale."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ViTConfig


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation of GELU, x sigmoid(1.702 x)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "silu": F.silu,
}


def make_norm(config: ViTConfig, channels: int) -> nn.Module:
    """The configuration's kind of norm."""
    kind = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}[config.norm]
    return kind(channels, eps=config.norm_eps)


def norm_if(wanted: bool, config: ViTConfig, channels: int) -> nn.Module:
    """A norm, or nothing, as the configuration has it."""
    return make_norm(config, channels) if wanted else nn.Identity()


class PlainMlp(nn.Module):
    """Two linear maps with an activation, and in some models a norm, between them."""

    def __init__(self, width: int, hidden: int, activation: str, norm: nn.Module | None = None):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.fc1 = nn.Linear(width, hidden)
        self.norm = norm or nn.Identity()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, token, width] to the same shape."""
        return self.fc2(self.norm(self.activation(self.fc1(x))))


class GatedMlp(nn.Module):
    """One linear map lets through what another found (Shazeer 2020, "GLU Variants", https://arxiv.org/abs/2002.05202)."""

    def __init__(self, width: int, hidden: int, activation: str, norm: nn.Module | None = None):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.fc1_g = nn.Linear(width, hidden)
        self.fc1_x = nn.Linear(width, hidden)
        self.norm = norm or nn.Identity()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, token, width] to the same shape."""
        return self.fc2(self.norm(self.activation(self.fc1_g(x)) * self.fc1_x(x)))


def make_mlp(config: ViTConfig) -> nn.Module:
    """The configuration's kind of MLP."""
    kind = {"plain": PlainMlp, "gated": GatedMlp}[config.mlp]
    norm = make_norm(config, config.mlp_dim) if config.mlp_norm else None
    return kind(config.embed_dim, config.mlp_dim, config.activation, norm)


class LayerScale(nn.Module):
    """A learned factor per channel on what a half block adds; ones for models that have none."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(config.embed_dim))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, token, width] to the same shape."""
        return x * self.gamma
