"""Stand-in for transformers' `modeling_vit.py` with the same classes, attributes and settings.

`tests.support.framework_stand_ins` loads it under transformers' name, by which vitviz recognises such models.
"""

import json

import torch
import torch.nn.functional as F
from torch import nn


class ViTConfig:
    def __init__(self, **said):
        self.__dict__.update(
            {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96},
            image_size=32,
            patch_size=8,
            hidden_act="gelu",
            layer_norm_eps=1e-12,
            qkv_bias=True,
            id2label={0: "cat", 1: "dog"},
        )
        self.__dict__.update(said)

    def to_dict(self):
        return json.loads(json.dumps(self.__dict__)) | {"id2label": dict(self.id2label)}  # its keys are numbers


class GELUActivation(nn.Module):
    def forward(self, x):
        return F.gelu(x)


class ViTPatchEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.projection = nn.Conv2d(3, config.hidden_size, config.patch_size, config.patch_size)

    def forward(self, pixels):
        return self.projection(pixels).flatten(2).transpose(1, 2)


class ViTEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        patches = (config.image_size // config.patch_size) ** 2
        self.cls_token = nn.Parameter(torch.randn(1, 1, config.hidden_size))
        self.position_embeddings = nn.Parameter(torch.randn(1, patches + 1, config.hidden_size))
        self.patch_embeddings = ViTPatchEmbeddings(config)
        self.dropout = nn.Dropout(0.1)

    def forward(self, pixels):
        x = torch.cat([self.cls_token.expand(len(pixels), -1, -1), self.patch_embeddings(pixels)], dim=1)
        return self.dropout(x + self.position_embeddings)


class ViTSelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.num_attention_heads = config.num_attention_heads
        self.attention_head_size = config.hidden_size // config.num_attention_heads
        self.scaling = self.attention_head_size**-0.5
        for name in ("query", "key", "value"):
            self.add_module(name, nn.Linear(config.hidden_size, config.hidden_size, bias=config.qkv_bias))

    def forward(self, x):
        parts = (part(x).unflatten(-1, (self.num_attention_heads, -1)) for part in (self.query, self.key, self.value))
        q, k, v = (part.transpose(1, 2) for part in parts)
        return ((q @ k.mT * self.scaling).softmax(-1) @ v).transpose(1, 2).flatten(2)


class ViTSelfOutput(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)


class ViTAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = ViTSelfAttention(config)
        self.output = ViTSelfOutput(config)


class ViTIntermediate(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.intermediate_act_fn = GELUActivation()


class ViTOutput(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.intermediate_size, config.hidden_size)


class ViTLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = ViTAttention(config)
        self.intermediate = ViTIntermediate(config)
        self.output = ViTOutput(config)
        self.layernorm_before = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layernorm_after = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x):
        x = x + self.attention.output.dense(self.attention.attention(self.layernorm_before(x)))
        hidden = self.intermediate.intermediate_act_fn(self.intermediate.dense(self.layernorm_after(x)))
        return x + self.output.dense(hidden)


class ViTEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layer = nn.ModuleList([ViTLayer(config) for _ in range(config.num_hidden_layers)])


class ViTPooler(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = nn.Tanh()


class Output:
    logits = None
    last_hidden_state = None


class ViTModel(nn.Module):
    def __init__(self, config, add_pooling_layer=True):
        super().__init__()
        self.config = config
        self.embeddings = ViTEmbeddings(config)
        self.encoder = ViTEncoder(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.pooler = ViTPooler(config) if add_pooling_layer else None

    def forward(self, pixel_values):
        x = self.embeddings(pixel_values)
        for layer in self.encoder.layer:
            x = layer(x)
        found = Output()
        found.last_hidden_state = self.layernorm(x)
        return found


class ViTForImageClassification(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.num_labels = len(config.id2label)
        self.vit = ViTModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)

    def forward(self, pixel_values):
        found = Output()
        found.logits = self.classifier(self.vit(pixel_values).last_hidden_state[:, 0])
        return found


class ViTForMaskedImageModeling(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.vit = ViTModel(config, add_pooling_layer=False)
        self.decoder = nn.Conv2d(config.hidden_size, 3, 1)
