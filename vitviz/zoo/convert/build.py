"""A model of our kind, made of weights in our layout."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...errors import ModelError
from ...images import Preprocessing
from ...model.config import OutputKind, ViTConfig
from ...trace.vision_transformer import VisionTransformer


def build(
    config: ViTConfig,
    weights: Mapping[str, Tensor],
    *,
    name: str,
    preprocessing: Preprocessing,
    labels: tuple[str, ...] = (),
    output_kind: OutputKind = "classes",
    stem: nn.Module | None = None,
    refusal: str = "",
) -> VisionTransformer:
    """Make a model of these weights, which it keeps without copying (unless they were made in `inference_mode`).

    Raises:
        ModelError: if a key is missing or left over, or a shape differs from the configuration's.
    """
    with torch.inference_mode(False), torch.no_grad():
        with torch.device("meta"):  # shapes only: the parameters are about to be replaced
            model = VisionTransformer(config, name, preprocessing, labels, output_kind, stem)
        problem = mismatch(model, weights)
        if problem:
            raise ModelError(f"{refusal or f'These are not the weights of {name!r}'}: {problem}.")
        # Gradients cannot flow past tensors of inference_mode, later and elsewhere; their copies are ordinary ones.
        kept = {key: value.clone() if value.is_inference() else value for key, value in weights.items()}
        model.load_state_dict(kept, assign=True)
        return model.requires_grad_(False)


def mismatch(model: nn.Module, weights: Mapping[str, Tensor]) -> str:
    """Which weights are missing, left over or of another shape: the first five, and how many more; empty if none."""
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    problems = (
        [f"{key} is missing" for key in wanted if key not in found]
        + [f"{key} is not expected" for key in found if key not in wanted]
        + [f"{key} is {found[key]}, not {wanted[key]}" for key in wanted if found.get(key, wanted[key]) != wanted[key]]
    )
    more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
    return "; ".join(problems[:5]) + more
