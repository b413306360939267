"""Vision Transformer: the model and its blocks, in the order of the forward pass.

References:
    Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words" (ViT), https://arxiv.org/abs/2010.11929, section 3.1
    Touvron et al. 2021, "Going deeper with Image Transformers" (LayerScale), https://arxiv.org/abs/2103.17239
    Darcet et al. 2024, "Vision Transformers Need Registers", https://arxiv.org/abs/2309.16588
    Dehghani et al. 2023, "Scaling Vision Transformers to 22 Billion Parameters" (parallel blocks),
    https://arxiv.org/abs/2302.05442, section 2.1
    Ye et al. 2024, "Differential Transformer", https://arxiv.org/abs/2410.05258, section 2.1
    timm's vision transformers, whose outputs this file reproduces and whose parameter names it mostly uses

Attention normally runs in PyTorch's fused kernel, which never builds the matrix of attention weights. Any weight can be
computed later from recorded queries and keys. A block computes the matrix explicitly only if its `scores` or `weights`
are captured or edited.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ImageError, ModelError
from ..errors.arguments import checked_grid, each_of_kind, of_kind, shown, typed
from ..images import Preprocessing
from .attention_weights import attention_weights, halves
from .config import OutputKind, ViTConfig, checked
from .hooks import HookPoint, before_block
from .layers import LayerScale, make_mlp, make_norm, norm_if
from .pooling import make_head, make_pool
from .position_embeddings import Grid, RelativeBias, RotaryEmbedding, Rotation, resampled, rotate
from .precision import as_input
from .timing import timed


class ViT(nn.Module):
    """Forward pass of a plain Vision Transformer with named hook points (see `vitviz.model.hooks`).

    Args:
        config: configuration of the model.
        name: name of the model, on screen and in files.
        preprocessing: preprocessing of the input; ImageNet's by default.
        labels: class names, one for each class; empty if they are not known.
        output_kind: meaning of the output: `"classes"` for logits of mutually exclusive classes (softmax),
            `"independent"` for logits of independent classes (sigmoid), `"embedding"` for an embedding shared with text
            (CLIP), `"values"` for anything else.
        stem: convolutional network before the patch projection, if the configuration has a stem.

    Raises:
        ModelError: if the configuration is contradictory or names a part that does not exist.
        ArgumentError: if an argument, or a field of the configuration, is of the wrong type or too small.
    """

    @typed
    def __init__(
        self,
        config: ViTConfig,
        name: str = "vit",
        preprocessing: Preprocessing | None = None,
        labels: tuple[str, ...] = (),
        output_kind: OutputKind = "classes",
        stem: nn.Module | None = None,
    ):
        super().__init__()
        each_of_kind(labels, str, "labels")
        config = checked(config, len(labels), stem is not None)
        self.config = config
        self.name = name
        self.notes = ()
        self.preprocessing = preprocessing or Preprocessing()
        self.labels = tuple(labels)
        self.output_kind = output_kind
        tokens = config.num_prefix_tokens + config.grid[0] * config.grid[1]
        self.patch_embed = PatchEmbed(config, stem)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.embed_dim)) if config.class_token else None
        self.reg_token = (
            nn.Parameter(torch.zeros(1, config.num_registers, config.embed_dim)) if config.num_registers else None
        )
        # Prefix tokens first, then the patches.
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, config.embed_dim)) if config.position_embedding else None
        self.rope = RotaryEmbedding(config) if config.rope else None
        self.embedded = HookPoint("embed.tokens")
        self.norm_pre = norm_if(config.pre_norm, config, config.embed_dim)
        kind = {"pre": Block, "post": PostNormBlock, "parallel": ParallelBlock}[config.block]
        self.blocks = nn.ModuleList(kind(config, layer) for layer in range(config.depth))
        self.norm = norm_if(config.final_norm, config, config.embed_dim)
        self.normed = HookPoint("norm")
        self.attn_pool = make_pool(config)
        self.fc_norm = norm_if(config.fc_norm, config, config.feature_dim)
        self.head = make_head(config)
        self.logits = HookPoint("logits")
        self.eval()

    @timed
    def forward(self, pixels: Tensor) -> Tensor:
        """Run the model.

        Args:
            pixels: normalised images [batch, channel, H, W]; H and W multiples of the patch size.

        Returns:
            Logits [batch, class], or without a classifier the feature [batch, D].

        Raises:
            ModelError: if the input does not have this shape.
        """
        return self.forward_from(self.embed(pixels), self.grid_of(pixels))

    def embed(self, pixels: Tensor) -> Tensor:
        """Compute the input of the first block, [batch, token, D], from normalised images [batch, channel, H, W].

        Raises:
            ModelError: if the input does not have this shape.
        """
        grid = self.grid_of(pixels)
        x = self.patch_embed(as_input(pixels, self))  # batch patch D
        prefix = [token.expand(len(x), -1, -1) for token in (self.cls_token, self.reg_token) if token is not None]
        x = torch.cat([*prefix, x], dim=1)  # batch token D
        if self.pos_embed is not None:
            x = x + self.positions(*grid)
        return self.norm_pre(self.embedded(x))

    @timed
    def forward_from(self, x: Tensor, grid: Grid, layer: int = 0) -> Tensor:
        """Run the model from a block on, so that passes that differ only from there on can share the blocks before.

        Args:
            x: input of the block, [batch, token, D].
            grid: rows and columns of patches.
            layer: index of the block; `depth` if `x` is the output of the last block.

        Returns:
            Output of the model, as in `forward`.
        """
        x = as_input(x, self)
        for block, rotation in list(zip(self.blocks, self.rotations(grid), strict=True))[layer:]:
            before_block()
            x = block(x, grid, rotation)
        return self.readout(self.normed(self.norm(x)))

    @property
    def preprocessing(self) -> Preprocessing:
        """Preprocessing of the input. On assignment it is adapted to the model's number of channels.

        Raises:
            ModelError: if the assigned value is for another number of channels.
            ArgumentError: if the assigned value is not a `Preprocessing`.
        """
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, preprocessing: Preprocessing) -> None:
        of_kind(preprocessing, Preprocessing, "preprocessing")
        try:
            self._preprocessing = preprocessing.for_channels(self.config.in_chans)
        except ImageError as error:
            raise ModelError(str(error)) from error
        self._preprocessing_notes: tuple[str, ...] = ()

    def set_preprocessing(self, preprocessing: Preprocessing, notes: Sequence[str]) -> None:
        """Set the preprocessing, with notes on the parts of it that are assumed.

        Args:
            preprocessing: preprocessing of the input.
            notes: sentences on the assumptions; they are part of `notes` until another preprocessing is assigned.

        Raises:
            ModelError: if the preprocessing is for another number of channels.
        """
        self.preprocessing = preprocessing
        self._preprocessing_notes = tuple(notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Assumptions made when the model was loaded, as sentences."""
        return (*self._notes, *self._preprocessing_notes)

    @notes.setter
    def notes(self, notes: Sequence[str]) -> None:
        self._notes = tuple(notes)

    @property
    def is_classifier(self) -> bool:
        """True if the outputs are logits of classes."""
        return self.config.num_classes > 0 and self.output_kind in ("classes", "independent")

    def __repr__(self) -> str:
        config, (height, width) = self.config, self.config.image_size
        shape = f"{config.depth} layers, {config.num_heads} heads, dim {config.embed_dim}, patch {config.patch_size}"
        return f"{type(self).__name__}({self.name!r}: {shape}, {height} x {width} px, {config.num_classes} classes)"

    def readout(self, x: Tensor) -> Tensor:
        """Compute the output of the model from the tokens after the final norm, [batch, token, D]."""
        return self.logits(self.head(self.fc_norm(self.attn_pool(x))))

    def positions(self, rows: int, columns: int) -> Tensor:
        """Return the position embeddings for a grid, [1, prefix + rows * columns, D]; zeros if the model has none.

        Raises:
            ArgumentError: if the number of rows or columns is below 1.
        """
        rows, columns = checked_grid((rows, columns))
        config = self.config
        if self.pos_embed is None:
            return torch.zeros(1, config.num_prefix_tokens + rows * columns, config.embed_dim, dtype=torch.float32)
        return resampled(self.pos_embed, config.grid, (rows, columns), config.num_prefix_tokens, config.resampling)

    def rotations(self, grid: Grid) -> list[Rotation | None]:
        """Return the rotations of queries and keys (RoPE) for each layer; None without RoPE."""
        rotations = [None] if self.rope is None else self.rope(grid)
        return rotations if len(rotations) == self.config.depth else rotations * self.config.depth

    def grid_of(self, pixels: Tensor) -> Grid:
        """Check an input and return its rows and columns of patches.

        Raises:
            ModelError: if it is not a normalised float tensor of the right shape.
        """
        patch, channels = self.config.patch_size, self.config.in_chans
        if not isinstance(pixels, Tensor) or not pixels.is_floating_point():
            kind = f"a tensor of {pixels.dtype}" if isinstance(pixels, Tensor) else shown(pixels)
            raise ModelError(f"The input is {kind}; give a normalised float tensor [batch, {channels}, H, W].")
        shape = tuple(pixels.shape)
        if len(shape) != 4 or shape[1] != channels or any(side % patch or not side for side in shape[2:]):
            raise ModelError(
                f"The input has shape {shape}; give one of shape [batch, {channels}, H, W] with H and W multiples of "
                f"{patch}."
            )
        return shape[2] // patch, shape[3] // patch


class PatchEmbed(nn.Module):
    """Patch embedding: split the image into patches and project each to a token (ViT, equation 1: x_p E).

    In a hybrid model the patches are taken from the feature map of a convolutional stem (ViT, section 3.1, "Hybrid").
    """

    def __init__(self, config: ViTConfig, stem: nn.Module | None = None):
        super().__init__()
        self.backbone = stem
        # A convolution whose stride equals its kernel size applies the same linear map to each patch.
        self.proj = (
            nn.Conv2d(config.in_chans, config.embed_dim, config.patch_size, config.patch_size)
            if stem is None
            else nn.Identity()
        )
        self.norm = norm_if(config.patch_norm, config, config.embed_dim)
        self.patches = HookPoint("embed.patches")

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed the patches of images [batch, channel, H, W]: [batch, patch, D]."""
        pixels = pixels if self.backbone is None else self.backbone(pixels)
        return self.patches(self.norm(self.proj(pixels).flatten(2).transpose(1, 2)))


class Block(nn.Module):
    """Pre-norm block: attention and MLP, each added to the residual stream (ViT, equations 2 and 3)."""

    def __init__(self, config: ViTConfig, layer: int):
        super().__init__()
        name = f"blocks.{layer}"
        self.resid_pre = HookPoint(f"{name}.resid_pre")
        self.norm1 = make_norm(config, config.embed_dim)
        self.attn = (DifferentialAttention if config.differential else Attention)(config, f"{name}.attn")
        self.ls1 = LayerScale(config)
        self.attn_out = HookPoint(f"{name}.attn.out")
        self.resid_mid = HookPoint(f"{name}.resid_mid")
        self.norm2 = make_norm(config, config.embed_dim)
        self.mlp = make_mlp(config)
        self.ls2 = LayerScale(config)
        self.mlp_out = HookPoint(f"{name}.mlp.out")
        self.resid_post = HookPoint(f"{name}.resid_post")

    def forward(self, x: Tensor, grid: Grid, rotation: Rotation | None) -> Tensor:
        """Update the residual stream, [batch, token, D]."""
        x = self.resid_pre(x)
        x = self.resid_mid(x + self.attn_out(self.ls1(self.attn(self.norm1(x), grid, rotation))))
        return self.resid_post(x + self.mlp_out(self.ls2(self.mlp(self.norm2(x)))))


class PostNormBlock(Block):
    """Block with a norm after each sublayer, before the residual addition (Liu et al. 2022, Swin V2, section 3.2)."""

    def forward(self, x: Tensor, grid: Grid, rotation: Rotation | None) -> Tensor:
        """Update the residual stream, [batch, token, D]."""
        x = self.resid_pre(x)
        x = self.resid_mid(x + self.attn_out(self.ls1(self.norm1(self.attn(x, grid, rotation)))))
        return self.resid_post(x + self.mlp_out(self.ls2(self.norm2(self.mlp(x)))))


class ParallelBlock(Block):
    """Block with attention and MLP in parallel, after a shared norm (Dehghani et al. 2023, section 2.1)."""

    def __init__(self, config: ViTConfig, layer: int):
        super().__init__(config, layer)
        del self.norm2

    def forward(self, x: Tensor, grid: Grid, rotation: Rotation | None) -> Tensor:
        """Update the residual stream, [batch, token, D]."""
        x = self.resid_pre(x)
        normed = self.norm1(x)
        x = self.resid_mid(x + self.attn_out(self.ls1(self.attn(normed, grid, rotation))))
        return self.resid_post(x + self.mlp_out(self.ls2(self.mlp(normed))))


class Attention(nn.Module):
    """Multi-head self-attention (ViT, appendix A)."""

    def __init__(self, config: ViTConfig, name: str):
        super().__init__()
        self.heads = config.num_heads
        self.scale = config.scale
        inner_dim = config.num_heads * config.head_dim
        self.qkv = nn.Linear(config.embed_dim, 3 * inner_dim)
        self.q_norm = norm_if(config.qk_norm, config, config.head_dim)
        self.k_norm = norm_if(config.qk_norm, config, config.head_dim)
        self.relative = RelativeBias(config) if config.relative_position_bias else None
        self.head_norm = nn.Identity()
        self.norm = norm_if(config.attention_norm, config, inner_dim)
        self.proj = nn.Linear(inner_dim, config.embed_dim)
        self.q, self.k, self.v = (HookPoint(f"{name}.{part}") for part in "qkv")
        self.scores = HookPoint(f"{name}.scores")
        self.weights = HookPoint(f"{name}.weights")
        self.z = HookPoint(f"{name}.z")

    def forward(self, x: Tensor, grid: Grid, rotation: Rotation | None) -> Tensor:
        """Map tokens [batch, token, D] to the same shape."""
        q, k = self.q_norm(self._project(x, 0)), self.k_norm(self._project(x, 1))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        q, k, v = self.q(q), self.k(k), self.v(self._project(x, 2))
        if self.scores.has_listeners():
            z = self.weights(self.weigh(self.scores(self.score(q, k, self.bias(grid))))) @ v  # batch head query channel
        elif self.weights.has_listeners():
            z = self.weights(self.weights_of(q, k, self.bias(grid))) @ v
        else:
            z = self.attend(q, k, v, self.bias(grid))
        z = self.head_norm(self.z(z)).transpose(1, 2).flatten(2)  # batch token (head channel)
        return self.proj(self.norm(z))

    def bias(self, grid: Grid, queries: slice = slice(None), keys: slice = slice(None)) -> Tensor | None:
        """Return the relative position bias of the scores, [head, query, key]; None if the model has none."""
        return None if self.relative is None else self.relative(grid, queries, keys)

    def score(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Compute the scores [..., head, query, key] of queries and keys [..., head, token, channel]."""
        scores = (q * self.scale) @ k.mT  # scaling q first takes fewer multiplications
        return scores if bias is None else scores + bias.to(scores)

    def weigh(self, scores: Tensor) -> Tensor:
        """Compute the attention weights of scores [..., head, query, key]; rows sum to 1."""
        return scores.softmax(dim=-1)

    def weights_of(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Compute the attention weights of queries and keys, as `weigh(score(q, k, bias))` does."""
        if torch.is_grad_enabled():
            return self.weigh(self.score(q, k, bias))
        return attention_weights(q, k, self.scale, bias)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Compute the weighted sums of the values, [batch, head, query, channel], with a fused kernel."""
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=self.scale)

    def _project(self, x: Tensor, part: int) -> Tensor:
        # Three products instead of one: recorded queries and keys then do not keep the values in memory.
        inner_dim = self.qkv.out_features // 3
        rows = slice(part * inner_dim, (part + 1) * inner_dim)
        projected = F.linear(x, self.qkv.weight[rows], self.qkv.bias[rows])
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # batch head token channel


class DifferentialAttention(Attention):
    """Differential attention: the difference of two softmaxes, which cancels noise (Ye et al. 2024, section 2.1).

    Each half of a head's channels has its own scores. Weights can be negative, and rows sum to 1 - lambda.
    """

    def __init__(self, config: ViTConfig, name: str):
        super().__init__(config, name)
        self.lam = nn.Parameter(torch.zeros(()))  # lambda in the paper, the factor of the second softmax
        self.head_norm = nn.RMSNorm(config.head_dim, eps=1e-5)

    def score(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Compute the scores of both halves, [..., head, 2, query, key]."""
        return super().score(halves(q), halves(k), bias)

    def weigh(self, scores: Tensor) -> Tensor:
        """Compute the effective weights, [..., head, query, key]; rows sum to 1 - lambda."""
        first, second = scores.softmax(dim=-1).unbind(-3)
        return first - self.lam.to(second) * second

    def weights_of(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Compute the effective weights of queries and keys, [..., head, query, key]."""
        return self.weigh(self.score(q, k, bias))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Compute the weighted sums of the values, [batch, head, query, channel], with a fused kernel."""
        pairs = zip(halves(q).unbind(-3), halves(k).unbind(-3), strict=True)
        first, second = (super(DifferentialAttention, self).attend(q, k, v, bias) for q, k in pairs)
        return first - self.lam.to(second) * second
