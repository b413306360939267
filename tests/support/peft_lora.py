"""Stand-in for peft's LoRA with the same attributes and methods; see `stand_ins_of_frameworks`."""

import torch
from torch import nn


class Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.Linear(base.in_features, 2, bias=False)
        self.lora_B = nn.Linear(2, base.out_features, bias=False)
        self.lora_dropout = nn.Dropout(0.5)
        self.disable_adapters = self.merged = False

    def delta(self):
        return self.lora_B.weight @ self.lora_A.weight

    def merge(self, safe_merge=False):
        if not self.merged:
            self.base_layer.weight.data += self.delta()
        self.merged = True

    def unmerge(self):
        self.base_layer.weight.data -= self.delta()
        self.merged = False

    def forward(self, x):
        if self.disable_adapters and self.merged:
            self.unmerge()
        found = self.base_layer(x)
        return found if self.disable_adapters or self.merged else found + self.lora_B(self.lora_A(self.lora_dropout(x)))


class Unmergeable(Linear):
    def merge(self, safe_merge=False):
        raise NotImplementedError("it depends on the input")


class ModulesToSaveWrapper(nn.Module):
    def __init__(self, module, changed):
        super().__init__()
        self.original_module = module
        self.modules_to_save = nn.ModuleDict({"default": changed})
        self.active_adapters, self.disable_adapters = ["default"], False

    def forward(self, x):
        return (self.original_module if self.disable_adapters else self.modules_to_save["default"])(x)


class LoraModel(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)


class PeftModel(nn.Module):
    def __init__(self, base_model):
        super().__init__()
        self.base_model = base_model

    def forward(self, x):
        return self.base_model(x)


class PromptModel(nn.Module):
    """Adapter that is not a tuner: it adds prompt tokens before those of the model."""

    def __init__(self, model):
        super().__init__()
        self.base_model = model
        self.prompt = nn.Parameter(torch.zeros(3))
