"""A Vision Transformer, read top to bottom.

References:
    Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words" (ViT), https://arxiv.org/abs/2010.11929, section 3.1
    Touvron et al. 2021, "Going deeper with Image Transformers" (LayerScale), https://arxiv.org/abs/2103.17239
    Darcet et al. 2024, "Vision Transformers Need Registers", https://arxiv.org/abs/2309.16588
    Dehghani et al. 2023, "Scaling Vision Transformers to 22 Billion Parameters" (parallel blocks),
    https://arxiv.org/abs/2302.05442, section 2.1
    Ye et al. 2024, "Differential Transformer", https://arxiv.org/abs/2410.05258, section 2.1
    timm's vision transformers, whose numbers this file reproduces and whose parameter names it mostly has

Attention normally runs PyTorch's fused kernel, which never builds the matrix of weights. Queries and keys pass through
hook points as they enter the softmax, so whoever keeps them can compute any weight later; a block takes the explicit
path only while somebody listens to, or edits, its `scores` or `weights`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ImageError, ModelError
from ..errors.arguments import checked_grid, each_of_kind, of_kind, shown, typed
from ..images import Preprocessing
from .config import OutputKind, ViTConfig, checked
from .hooks import HookPoint
from .layers import LayerScale, make_mlp, make_norm, norm_if
from .pooling import DistilledHead, make_pool
from .position_embeddings import Grid, RelativeBias, RotaryEmbedding, Rotation, resampled, rotate


class ViT(nn.Module):
    """Forward pass of a plain Vision Transformer with named hook points (see `vitviz.model.hooks`).

    Args:
        config: its shape.
        name: what it is called on screen and in files.
        preprocessing: how pixels become its input.
        labels: what its classes are called, one name a class; empty if that is not known.
        output_kind: what its outputs are: scores of classes of which one is right, or of classes each on its own; an
            embedding that it shares with texts (CLIP); or values of something else.
        stem: the convolutional network before the projection, for a configuration that has one.

    Raises:
        ModelError: if the configuration contradicts itself or names a part that does not exist.
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
        # Those of the prefix tokens come first.
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

    def forward(self, pixels: Tensor) -> Tensor:
        """Run the model.

        Args:
            pixels: normalised images [batch, channel, H, W]; both sides multiples of the patch side.

        Returns:
            Logits [batch, class], or without a classifier the feature [batch, D].

        Raises:
            ModelError: if the input does not have this shape.
        """
        return self.finish(self.embed(pixels), self.grid_of(pixels))

    def embed(self, pixels: Tensor) -> Tensor:
        """From normalised images [batch, channel, H, W] to what enters the first block, [batch, token, D].

        Raises:
            ModelError: if the input does not have this shape.
        """
        grid = self.grid_of(pixels)
        x = self.patch_embed(pixels)  # batch patch width
        prefix = [token.expand(len(x), -1, -1) for token in (self.cls_token, self.reg_token) if token is not None]
        x = torch.cat([*prefix, x], dim=1)  # batch token width
        if self.pos_embed is not None:
            x = x + self.positions(*grid)
        return self.norm_pre(self.embedded(x))

    def finish(self, x: Tensor, grid: Grid, layer: int = 0) -> Tensor:
        """From what enters a block to what the model returns; passes that differ only above it share what is below.

        Args:
            x: what enters the block, [batch, token, D].
            grid: rows and columns of patches.
            layer: which block, from 0; the number of blocks for what leaves the last one.

        Returns:
            As `forward`.
        """
        for block, rotation in list(zip(self.blocks, self.rotations(grid), strict=True))[layer:]:
            x = block(x, grid, rotation)
        return self.readout(self.normed(self.norm(x)))

    @property
    def preprocessing(self) -> Preprocessing:
        """Preprocessing of its input; a value that is set is adapted to the model's number of channels.

        Raises:
            ModelError: on setting it, if it is for another number of channels.
            ArgumentError: on setting it, if it is no `Preprocessing`.
        """
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, preprocessing: Preprocessing) -> None:
        of_kind(preprocessing, Preprocessing, "preprocessing")
        try:
            self._preprocessing = preprocessing.for_channels(self.config.in_chans)
        except ImageError as error:
            raise ModelError(str(error)) from error
        self._assumed_of_pixels: tuple[str, ...] = ()

    def assume(self, preprocessing: Preprocessing, assumed: Sequence[str]) -> None:
        """Set a preprocessing of which a part is assumed.

        Args:
            preprocessing: preprocessing of the input.
            assumed: sentences on what of it is assumed; they are among the `notes` until another one is set.

        Raises:
            ModelError: if it is for another number of channels.
        """
        self.preprocessing = preprocessing
        self._assumed_of_pixels = tuple(assumed)

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences on what was assumed when the model was loaded."""
        return (*self._notes, *self._assumed_of_pixels)

    @notes.setter
    def notes(self, notes: Sequence[str]) -> None:
        self._notes = tuple(notes)

    @property
    def is_classifier(self) -> bool:
        """Whether its outputs are scores of classes."""
        return self.config.num_classes > 0 and self.output_kind in ("classes", "independent")

    def __repr__(self) -> str:
        config, (height, width) = self.config, self.config.image_size
        shape = f"{config.depth} layers, {config.num_heads} heads, width {config.embed_dim}, patch {config.patch_size}"
        return f"{type(self).__name__}({self.name!r}: {shape}, {height} x {width} px, {config.num_classes} classes)"

    def readout(self, x: Tensor) -> Tensor:
        """From the tokens after the final norm [batch, token, D] to what the model returns."""
        return self.logits(self.head(self.fc_norm(self.attn_pool(x))))

    def positions(self, rows: int, columns: int) -> Tensor:
        """Learned positions for a grid of patches, [1, prefix + rows * columns, D]; zeros if the model has none.

        Raises:
            ArgumentError: if there is not at least one row and one column.
        """
        rows, columns = checked_grid((rows, columns))
        config = self.config
        if self.pos_embed is None:
            return torch.zeros(1, config.num_prefix_tokens + rows * columns, config.embed_dim, dtype=torch.float32)
        return resampled(self.pos_embed, config.grid, (rows, columns), config.num_prefix_tokens, config.resampling)

    def rotations(self, grid: Grid) -> list[Rotation | None]:
        """How each layer turns its queries and keys."""
        rotations = [None] if self.rope is None else self.rope(grid)
        return rotations if len(rotations) == self.config.depth else rotations * self.config.depth

    def grid_of(self, pixels: Tensor) -> Grid:
        """Rows and columns of patches of an input; a `ModelError` if it is not one."""
        patch, channels = self.config.patch_size, self.config.in_chans
        if not isinstance(pixels, Tensor) or not pixels.is_floating_point():
            kind = f"a tensor of {pixels.dtype}" if isinstance(pixels, Tensor) else shown(pixels)
            raise ModelError(
                f"The input is {kind}; this model needs a normalised float tensor [batch, {channels}, H, W]."
            )
        shape = tuple(pixels.shape)
        if len(shape) != 4 or shape[1] != channels or any(side % patch or not side for side in shape[2:]):
            raise ModelError(
                f"The input has shape {shape}; this model needs [batch, {channels}, H, W] with H and W multiples of "
                f"{patch}."
            )
        return shape[2] // patch, shape[3] // patch


class PatchEmbed(nn.Module):
    """Cut the image into patches and project each of them to a token (ViT, equation 1: x_p E).

    A hybrid's stem is a convolutional network, whose feature map is cut up instead (ViT, section 3.1, "Hybrid").
    """

    def __init__(self, config: ViTConfig, stem: nn.Module | None = None):
        super().__init__()
        self.backbone = stem
        # A convolution whose stride is its kernel is the same linear map for each patch.
        self.proj = (
            nn.Conv2d(config.in_chans, config.embed_dim, config.patch_size, config.patch_size)
            if stem is None
            else nn.Identity()
        )
        self.norm = norm_if(config.patch_norm, config, config.embed_dim)
        self.patches = HookPoint("embed.patches")

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn [batch, channel, H, W] into [batch, patch, width]."""
        pixels = pixels if self.backbone is None else self.backbone(pixels)
        return self.patches(self.norm(self.proj(pixels).flatten(2).transpose(1, 2)))


class Block(nn.Module):
    """One layer: attention and MLP, each normalised first and added to the residual stream (ViT, equations 2 and 3)."""

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
        """Residual stream in, residual stream out: [batch, token, width]."""
        x = self.resid_pre(x)
        x = self.resid_mid(x + self.attn_out(self.ls1(self.attn(self.norm1(x), grid, rotation))))
        return self.resid_post(x + self.mlp_out(self.ls2(self.mlp(self.norm2(x)))))


class PostNormBlock(Block):
    """The same with each half normalised after it, before it is added (Liu et al. 2022, Swin V2, section 3.2)."""

    def forward(self, x: Tensor, grid: Grid, rotation: Rotation | None) -> Tensor:
        """Residual stream in, residual stream out: [batch, token, width]."""
        x = self.resid_pre(x)
        x = self.resid_mid(x + self.attn_out(self.ls1(self.norm1(self.attn(x, grid, rotation)))))
        return self.resid_post(x + self.mlp_out(self.ls2(self.norm2(self.mlp(x)))))


class ParallelBlock(Block):
    """Attention and MLP side by side, on one norm of the same stream (Dehghani et al. 2023, section 2.1)."""

    def __init__(self, config: ViTConfig, layer: int):
        super().__init__(config, layer)
        del self.norm2

    def forward(self, x: Tensor, grid: Grid, rotation: Rotation | None) -> Tensor:
        """Residual stream in, residual stream out: [batch, token, width]."""
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
        width = config.num_heads * config.head_dim
        self.qkv = nn.Linear(config.embed_dim, 3 * width)
        self.q_norm = norm_if(config.qk_norm, config, config.head_dim)
        self.k_norm = norm_if(config.qk_norm, config, config.head_dim)
        self.relative = RelativeBias(config) if config.relative_position_bias else None
        self.head_norm = nn.Identity()
        self.norm = norm_if(config.attention_norm, config, width)
        self.proj = nn.Linear(width, config.embed_dim)
        self.q, self.k, self.v = (HookPoint(f"{name}.{part}") for part in "qkv")
        self.scores = HookPoint(f"{name}.scores")
        self.weights = HookPoint(f"{name}.weights")
        self.z = HookPoint(f"{name}.z")

    def forward(self, x: Tensor, grid: Grid, rotation: Rotation | None) -> Tensor:
        """[batch, token, width] to the same shape."""
        q, k = self.q_norm(self._project(x, 0)), self.k_norm(self._project(x, 1))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        q, k, v = self.q(q), self.k(k), self.v(self._project(x, 2))
        if self.scores.has_listeners() or self.weights.has_listeners():
            z = self.weights(self.weigh(self.scores(self.score(q, k, self.bias(grid))))) @ v  # batch head query channel
        else:
            z = self.attend(q, k, v, self.bias(grid))
        z = self.head_norm(self.z(z)).transpose(1, 2).flatten(2)  # batch token (head channel)
        return self.proj(self.norm(z))

    def bias(self, grid: Grid, queries: slice = slice(None), keys: slice = slice(None)) -> Tensor | None:
        """What is added to the scores besides the products, [head, query, key]."""
        return None if self.relative is None else self.relative(grid, queries, keys)

    def score(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Scaled products of queries and keys [..., head, token, channel]: scores [..., head, query, key]."""
        scores = (q * self.scale) @ k.mT  # in this order, which scales fewer numbers
        return scores if bias is None else scores + bias

    def weigh(self, scores: Tensor) -> Tensor:
        """From scores to weights, whose rows sum to 1: [..., head, query, key]."""
        return scores.softmax(dim=-1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """The weighted sums of the values, without ever holding all weights: [batch, head, query, channel]."""
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=self.scale)

    def _project(self, x: Tensor, part: int) -> Tensor:
        # Three products, not one: then queries and keys own their memory, and keeping them does not keep the values.
        width = self.qkv.out_features // 3
        rows = slice(part * width, (part + 1) * width)
        projected = F.linear(x, self.qkv.weight[rows], self.qkv.bias[rows])
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # batch head token channel


class DifferentialAttention(Attention):
    """The difference of two softmaxes: what both find everywhere is noise and cancels (Ye et al. 2024, section 2.1).

    A head's channels are two halves, each with its own scores. Weights may be negative and a row sums to 1 - lambda.
    """

    def __init__(self, config: ViTConfig, name: str):
        super().__init__(config, name)
        self.lam = nn.Parameter(torch.zeros(()))  # the paper's lambda: how much of the second softmax is taken away
        self.head_norm = nn.RMSNorm(config.head_dim, eps=1e-5)

    def score(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Scores of both halves, [..., head, 2, query, key]."""
        return super().score(_halves(q), _halves(k), bias)

    def weigh(self, scores: Tensor) -> Tensor:
        """The effective weights, [..., head, query, key]; rows sum to 1 - lambda."""
        first, second = scores.softmax(dim=-1).unbind(-3)
        return first - self.lam * second

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """The weighted sums of the values, without ever holding all weights: [batch, head, query, channel]."""
        halves = zip(_halves(q).unbind(-3), _halves(k).unbind(-3), strict=True)
        first, second = (super(DifferentialAttention, self).attend(q, k, v, bias) for q, k in halves)
        return first - self.lam * second


def _halves(x: Tensor) -> Tensor:
    """[..., head, token, channel] as [..., head, 2, token, channel / 2]."""
    return x.unflatten(-1, (2, -1)).transpose(-2, -3)


def make_head(config: ViTConfig) -> nn.Module:
    """The classifier, or nothing."""
    if config.pooling == "distilled":
        return DistilledHead(config)
    return nn.Linear(config.feature_dim, config.num_classes) if config.num_classes else nn.Identity()
