"""Reference forward pass of transformers' ViT, DeiT and DINOv2, written from their source; and random weights for it.

It does not use timm's names, so it is an independent reference for the conversion.
"""

import torch
import torch.nn.functional as F


def random_weights(
    model="vit", *, width=192, depth=2, patch=16, grid=4, hidden=256, classes=5, registers=0, swiglu=False, seed=0
):
    """State dict with random weights, by the keys of `save_pretrained`."""
    random = torch.Generator().manual_seed(seed)
    weights = {}

    def tensor(key, *shape):
        weights[key] = torch.randn(*shape, generator=random) / 5

    def linear(key, out, into):
        tensor(f"{key}.weight", out, into)
        tensor(f"{key}.bias", out)

    def norm(key):
        tensor(f"{key}.weight", width)
        tensor(f"{key}.bias", width)

    at = f"{model}." if model else ""
    deit, dino = model == "deit", model.startswith("dinov2")
    tensor(f"{at}embeddings.cls_token", 1, 1, width)
    tensor(f"{at}embeddings.position_embeddings", 1, grid * grid + 1 + deit, width)
    tensor(f"{at}embeddings.patch_embeddings.projection.weight", width, 3, patch, patch)
    tensor(f"{at}embeddings.patch_embeddings.projection.bias", width)
    if deit:
        tensor(f"{at}embeddings.distillation_token", 1, 1, width)
    if dino:
        tensor(f"{at}embeddings.mask_token", 1, width)
    if registers:
        tensor(f"{at}embeddings.register_tokens", 1, registers, width)
    for i in range(depth):
        layer = f"{at}encoder.layer.{i}"
        for name in ("query", "key", "value"):
            linear(f"{layer}.attention.attention.{name}", width, width)
        linear(f"{layer}.attention.output.dense", width, width)
        if dino:
            norm(f"{layer}.norm1")
            norm(f"{layer}.norm2")
            tensor(f"{layer}.layer_scale1.lambda1", width)
            tensor(f"{layer}.layer_scale2.lambda1", width)
            linear(f"{layer}.mlp.weights_in" if swiglu else f"{layer}.mlp.fc1", hidden * (1 + swiglu), width)
            linear(f"{layer}.mlp.weights_out" if swiglu else f"{layer}.mlp.fc2", width, hidden)
        else:
            norm(f"{layer}.layernorm_before")
            norm(f"{layer}.layernorm_after")
            linear(f"{layer}.intermediate.dense", hidden, width)
            linear(f"{layer}.output.dense", width, hidden)
    norm(f"{at}layernorm")
    if classes:
        linear("classifier", classes, width * (1 + dino))
    return weights


def forward(weights, pixels, model="vit", *, heads=3, eps=1e-12):
    """Logits; without a classifier, the class token after the final norm."""
    at = f"{model}." if model else ""

    def linear(x, key):
        return F.linear(x, weights[f"{key}.weight"], weights[f"{key}.bias"])

    def norm(x, key):
        return F.layer_norm(x, x.shape[-1:], weights[f"{key}.weight"], weights[f"{key}.bias"], eps)

    def attention(x, key):
        q, k, v = (
            linear(x, f"{key}.attention.{name}").unflatten(-1, (heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v
        return linear(mixed.transpose(1, 2).flatten(2), f"{key}.output.dense")

    def mlp(x, layer):
        if f"{layer}.mlp.weights_in.weight" in weights:
            gate, value = linear(x, f"{layer}.mlp.weights_in").chunk(2, dim=-1)
            return linear(F.silu(gate) * value, f"{layer}.mlp.weights_out")
        names = (
            ("mlp.fc1", "mlp.fc2") if f"{layer}.mlp.fc1.weight" in weights else ("intermediate.dense", "output.dense")
        )
        return linear(F.gelu(linear(x, f"{layer}.{names[0]}")), f"{layer}.{names[1]}")

    kernel = weights[f"{at}embeddings.patch_embeddings.projection.weight"]
    bias = weights[f"{at}embeddings.patch_embeddings.projection.bias"]
    patches = F.conv2d(pixels, kernel, bias, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    names = [name for name in ("cls_token", "distillation_token") if f"{at}embeddings.{name}" in weights]
    x = torch.cat([*(weights[f"{at}embeddings.{n}"].expand(len(pixels), -1, -1) for n in names), patches], dim=1)
    x = x + weights[f"{at}embeddings.position_embeddings"]
    if f"{at}embeddings.register_tokens" in weights:
        registers = weights[f"{at}embeddings.register_tokens"].expand(len(pixels), -1, -1)
        x = torch.cat([x[:, :1], registers, x[:, 1:]], dim=1)
    layers = {key.split("encoder.layer.")[1].split(".")[0] for key in weights if "encoder.layer." in key}
    for i in range(len(layers)):
        layer = f"{at}encoder.layer.{i}"
        if f"{layer}.norm1.weight" in weights:
            x = x + weights[f"{layer}.layer_scale1.lambda1"] * attention(
                norm(x, f"{layer}.norm1"), f"{layer}.attention"
            )
            x = x + weights[f"{layer}.layer_scale2.lambda1"] * mlp(norm(x, f"{layer}.norm2"), layer)
        else:
            x = x + attention(norm(x, f"{layer}.layernorm_before"), f"{layer}.attention")
            x = x + mlp(norm(x, f"{layer}.layernorm_after"), layer)
    x = norm(x, f"{at}layernorm")
    if "cls_classifier.weight" in weights:
        return (linear(x[:, 0], "cls_classifier") + linear(x[:, 1], "distillation_classifier")) / 2
    if "classifier.weight" not in weights:
        return x[:, 0]
    return linear(torch.cat([x[:, 0], x[:, 1:].mean(dim=1)], dim=1) if "dinov2" in model else x[:, 0], "classifier")
