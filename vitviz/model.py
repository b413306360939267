"""A Vision Transformer, read top to bottom.

References:
    Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words" (ViT), https://arxiv.org/abs/2010.11929, section 3.1
    Touvron et al. 2021, "Going deeper with Image Transformers" (LayerScale), https://arxiv.org/abs/2103.17239
    Darcet et al. 2024, "Vision Transformers Need Registers", https://arxiv.org/abs/2309.16588
    timm's `vision_transformer.py`, whose parameter names and numbers this file reproduces

Attention normally runs PyTorch's fused kernel, which never builds the matrix of weights. Queries and keys pass through
hook points as they enter the softmax, so whoever keeps them can compute any weight later; a block takes the explicit
path only while somebody listens to, or edits, its `scores` or `weights`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import ModelError
from .hooks import HookPoint
from .images import Preprocessing
from .trace import ImageSource, Trace, trace

Positions = Literal["learned", "rotary", "learned+rotary", "relative", "none"]
Mlp = Literal["plain", "gated"]
Norm = Literal["layer", "rms"]
NormPlace = Literal["pre", "post", "parallel"]
Pooling = Literal["token", "mean", "attention"]


@dataclass(frozen=True)
class ViTConfig:
    """The shape of a Vision Transformer. The defaults are ViT-S/16 without a classifier.

    Values that name a kind other than the default's (`positions="rotary"`, `mlp="gated"`, ...) describe the rest of the
    family; `VisionTransformer` raises `ModelError` for those it cannot compute yet.
    """

    image_size: tuple[int, int] = (224, 224)  # height and width, pixels, that the learned positions were trained for
    patch: int = 16  # side of a patch, pixels
    channels: int = 3  # colour channels of the input
    width: int = 384  # D, channels of a token
    depth: int = 12  # L, number of blocks
    heads: int = 6  # attention heads of a block
    head_width: int = 64  # channels of one head's queries, keys and values
    mlp_width: int = 1536  # hidden channels of the MLP
    classes: int = 0  # outputs of the classifier; 0: none, the model returns its pooled feature
    class_token: bool = True  # whether a class token stands before the patches
    registers: int = 0  # register tokens, between the class token and the patches
    positions: Positions = "learned"  # how a token knows where its patch is
    qkv_bias: bool = True  # whether queries, keys and values have a bias
    qk_norm: bool = False  # whether queries and keys are normalised per head
    mlp: Mlp = "plain"  # one projection up and one down, or a gated pair
    activation: str = "gelu"  # of the MLP
    norm: Norm = "layer"  # LayerNorm or RMSNorm
    norm_eps: float = 1e-6  # added to the variance
    norm_place: NormPlace = "pre"  # before each half of a block, after it, or both halves side by side
    norm_first: bool = False  # whether the tokens are normalised once more before the first block (CLIP)
    pooling: Pooling = "token"  # what becomes the model's feature

    @property
    def prefix(self) -> int:
        """How many tokens stand before the patches."""
        return int(self.class_token) + self.registers

    @property
    def prefix_names(self) -> tuple[str, ...]:
        """The prefix tokens in order, in words: `"class token"`, `"register 1"`, ..."""
        registers = tuple(f"register {i + 1}" for i in range(self.registers))
        return ("class token", *registers) if self.class_token else registers

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches that the learned positions were trained for."""
        return self.image_size[0] // self.patch, self.image_size[1] // self.patch

    @property
    def scale(self) -> float:
        """What a product of query and key is multiplied with before the softmax, 1 / sqrt(head width)."""
        return self.head_width**-0.5


class VisionTransformer(nn.Module):
    """A plain Vision Transformer with named hook points (see `vitviz.hooks`) and timm's parameter names.

    Args:
        config: its shape.
        name: what it is called on screen and in files.
        preprocessing: how pixels become its input.

    Raises:
        ModelError: if the configuration names a part that this forward pass does not have.
    """

    def __init__(self, config: ViTConfig, name: str = "vit", preprocessing: Preprocessing | None = None):
        super().__init__()
        _check(config)
        self.config = config
        self.name = name
        self.preprocessing = preprocessing or Preprocessing()
        tokens = config.prefix + config.grid[0] * config.grid[1]
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width)) if config.class_token else None
        self.reg_token = nn.Parameter(torch.zeros(1, config.registers, config.width)) if config.registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, config.width))  # prefix tokens first
        self.embedded = HookPoint("embed.tokens")
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.normed = HookPoint("norm")
        self.head = nn.Linear(config.width, config.classes) if config.classes else nn.Identity()
        self.logits = HookPoint("logits")
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Run the model.

        Args:
            pixels: normalised images [batch, channel, H, W]; both sides multiples of the patch side.

        Returns:
            Logits [batch, class], or without a classifier the class token's feature [batch, D] after the final norm.

        Raises:
            ModelError: if the input does not have this shape.
        """
        config = self.config
        sides = pixels.shape[2:]
        if pixels.ndim != 4 or pixels.shape[1] != config.channels or any(s % config.patch or not s for s in sides):
            raise ModelError(
                f"The input has shape {tuple(pixels.shape)}; this model needs [batch, {config.channels}, H, W] "
                f"with H and W multiples of {config.patch}."
            )
        rows, columns = pixels.shape[2] // config.patch, pixels.shape[3] // config.patch
        x = self.patch_embed(pixels)  # batch patch width
        prefix = [token.expand(len(x), -1, -1) for token in (self.cls_token, self.reg_token) if token is not None]
        x = torch.cat([*prefix, x], dim=1)  # batch token width
        x = self.embedded(x + self.positions(rows, columns))
        for block in self.blocks:
            x = block(x)
        x = self.normed(self.norm(x))
        return self.logits(self.head(x[:, 0]))

    def positions(self, rows: int, columns: int) -> Tensor:
        """Positional embeddings for a grid of patches, [1, prefix + rows * columns, D].

        Those of the patches are resampled from the trained grid as timm does: bicubic, antialiased.
        """
        if (rows, columns) == self.config.grid:
            return self.pos_embed
        prefix, patches = self.pos_embed.split([self.config.prefix, self.pos_embed.shape[1] - self.config.prefix], 1)
        patches = patches.unflatten(1, self.config.grid).permute(0, 3, 1, 2)  # 1 width row column
        patches = F.interpolate(patches, size=(rows, columns), mode="bicubic", antialias=True)
        return torch.cat([prefix, patches.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)

    def trace(
        self, image: ImageSource, *, size: int | None = None, fit: str = "crop", record: tuple[str, ...] = ()
    ) -> Trace:
        """Run the model on one image and keep what is needed to look inside; see `vitviz.trace.trace`."""
        return trace(self, image, size=size, fit=fit, record=record)


class PatchEmbed(nn.Module):
    """Cut the image into patches and project each of them to a token (ViT, equation 1: x_p E)."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        # A convolution whose stride is its kernel is the same linear map for each patch.
        self.proj = nn.Conv2d(config.channels, config.width, kernel_size=config.patch, stride=config.patch)
        self.patches = HookPoint("embed.patches")

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn [batch, channel, H, W] into [batch, patch, width]."""
        return self.patches(self.proj(pixels).flatten(2).transpose(1, 2))


class Block(nn.Module):
    """One layer: attention and MLP, each normalised first and added to the residual stream (ViT, equations 2 and 3)."""

    def __init__(self, config: ViTConfig, layer: int):
        super().__init__()
        name = f"blocks.{layer}"
        self.resid_pre = HookPoint(f"{name}.resid_pre")
        self.norm1 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.attn = Attention(config, f"{name}.attn")
        self.ls1 = LayerScale(config)
        self.attn_out = HookPoint(f"{name}.attn.out")
        self.resid_mid = HookPoint(f"{name}.resid_mid")
        self.norm2 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mlp = PlainMlp(config)
        self.ls2 = LayerScale(config)
        self.mlp_out = HookPoint(f"{name}.mlp.out")
        self.resid_post = HookPoint(f"{name}.resid_post")

    def forward(self, x: Tensor) -> Tensor:
        """Residual stream in, residual stream out: [batch, token, width]."""
        x = self.resid_pre(x)
        x = self.resid_mid(x + self.attn_out(self.ls1(self.attn(self.norm1(x)))))
        return self.resid_post(x + self.mlp_out(self.ls2(self.mlp(self.norm2(x)))))


class Attention(nn.Module):
    """Multi-head self-attention (ViT, appendix A)."""

    def __init__(self, config: ViTConfig, name: str):
        super().__init__()
        self.heads = config.heads
        self.scale = config.scale
        width = config.heads * config.head_width
        self.qkv = nn.Linear(config.width, 3 * width, bias=config.qkv_bias)
        self.proj = nn.Linear(width, config.width)
        self.q, self.k, self.v = (HookPoint(f"{name}.{part}") for part in "qkv")
        self.scores = HookPoint(f"{name}.scores")
        self.weights = HookPoint(f"{name}.weights")
        self.z = HookPoint(f"{name}.z")

    def forward(self, x: Tensor) -> Tensor:
        """[batch, token, width] to the same shape."""
        q, k, v = self.q(self._project(x, 0)), self.k(self._project(x, 1)), self.v(self._project(x, 2))
        if self.scores.is_heard() or self.weights.is_heard():
            scores = self.scores(q @ k.transpose(-1, -2) * self.scale)  # batch head query key
            z = self.weights(scores.softmax(dim=-1)) @ v  # batch head query channel
        else:
            z = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.proj(self.z(z).transpose(1, 2).flatten(2))  # batch token (head channel) -> batch token width

    def _project(self, x: Tensor, part: int) -> Tensor:
        # Three products, not one: then queries and keys own their memory, and keeping them does not keep the values.
        weight = self.qkv.weight.chunk(3)[part]
        bias = None if self.qkv.bias is None else self.qkv.bias.chunk(3)[part]
        return F.linear(x, weight, bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # batch head token channel


class PlainMlp(nn.Module):
    """Two linear maps with a GELU between them."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, token, width] to the same shape."""
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    """A learned factor per channel on what a half block adds; ones for models that have none."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(config.width))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, token, width] to the same shape."""
        return x * self.gamma


def _check(config: ViTConfig) -> None:
    """Refuse what the forward pass above does not compute, by name."""
    only = {
        "positions": "learned",
        "qk_norm": False,
        "mlp": "plain",
        "activation": "gelu",
        "norm": "layer",
        "norm_place": "pre",
        "norm_first": False,
        "pooling": "token",
        "class_token": True,
    }
    for part, known in only.items():
        value = getattr(config, part)
        if value != known:
            raise ModelError(f"This model has {part} = {value!r}; only {known!r} can be represented exactly.")
