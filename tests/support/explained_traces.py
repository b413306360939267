"""Traces of many kinds of models, for what is computed by hand: shipped ones, and small ones with random weights."""

from dataclasses import replace
from functools import cache

import timm
import torch

import vitviz
from tests.support import random_models as kinds
from tests.zoo.test_timm_family import randomised, small
from vitviz.zoo import assets

SHIPPED = {"dinov2-small": "cat.jpg", "digits": "digits/digit-3.png"}
# From timm, two layers deep, on a grid of 3 x 4 patches.
TIMM = {
    "registers": "vit_small_patch14_reg4_dinov2",
    "rotary and gated": "eva02_small_patch14_224",
    "rotary, inner norms": "eva02_base_patch16_clip_224",
    "rotary and registers": "vit_small_patch16_dinov3",
    "rotary of each layer": "vit_base_patch16_rope_mixed_224",
    "attention pooling": "vit_base_patch16_siglip_224",
    "gated": "vit_giant_patch14_dinov2",
    "patch norm": "aimv2_large_patch14_224",
    "norm first": "vit_base_patch16_clip_224",
    "quick gelu": "vit_base_patch16_clip_quickgelu_224",
    "relative": "beit_base_patch16_224",
    "post-norm": "vit_base_patch16_rpn_224",
    "parallel": "vit_base_patch16_xp_224",
    "stem": "vit_small_r26_s32_224",
}
# Of our own, where timm's differ in nothing that matters here or are large.
OURS = {
    "differential": kinds.CONFIGS["differential"],
    "tanh, inner norms": replace(kinds.PLAIN, activation="gelu_tanh", attention_norm=True, mlp_norm=True),
    "mean with registers": kinds.CONFIGS["mean with registers"],
    "distilled": kinds.CONFIGS["distilled"],
    "token and mean": replace(kinds.PLAIN, pooling="token+mean"),
    "pooled of all": kinds.CONFIGS["pooled of all"],
}
ALL = [*SHIPPED, *TIMM, *OURS]
WITHOUT_STEM = [kind for kind in ALL if kind != "stem"]


@cache
def explained(kind):
    """Trace of an image by a model of this kind."""
    if kind in SHIPPED:
        return vitviz.load(kind).trace(assets() / "images" / SHIPPED[kind])
    random = torch.Generator().manual_seed(5)
    if kind in OURS:
        model = vitviz.VisionTransformer(OURS[kind], kind)
        for name, parameter in model.named_parameters():
            parameter.data = torch.randn(parameter.shape, generator=random) / 2
            if name.endswith(".attn.lam"):
                parameter.data = torch.tensor(0.57)
        model.requires_grad_(False)
    else:
        with torch.random.fork_rng():
            torch.manual_seed(0)  # the same weights, whatever ran before
            original = timm.create_model(TIMM[kind], **small(TIMM[kind], full_width=False))
        model = vitviz.from_timm(randomised(original))
    rows, columns = 3, 4
    side = model.config.patch_size
    return model.trace(torch.randn(3, rows * side, columns * side, generator=random))
