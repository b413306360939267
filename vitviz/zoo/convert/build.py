"""Build a `VisionTransformer` from weights in its own layout."""

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
    """Build a model from these weights without copying them (except tensors created in `inference_mode`).

    Raises:
        ModelError: if a key is missing or unexpected, or a shape does not match the configuration.
    """
    with torch.inference_mode(False), torch.no_grad():
        with torch.device("meta"):  # shapes only: the parameters are replaced below
            model = VisionTransformer(config, name, preprocessing, labels, output_kind, stem)
        problem = mismatch(model, weights)
        if problem:
            raise ModelError(f"{refusal or f'These are not the weights of {name!r}'}: {problem}.")
        # Autograd cannot use tensors created in inference_mode; clones made here are ordinary tensors.
        state = {key: value.clone() if value.is_inference() else value for key, value in weights.items()}
        model.load_state_dict(state, assign=True)
        return model.requires_grad_(False)


def mismatch(model: nn.Module, weights: Mapping[str, Tensor]) -> str:
    """Describe missing and unexpected weights and wrong shapes: the first five and the number of others; "" if none."""
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    problems = (
        [f"{key} is missing" for key in expected if key not in found]
        + [f"{key} is not expected" for key in found if key not in expected]
        + [
            f"{key} is {found[key]}, not {expected[key]}"
            for key in expected
            if found.get(key, expected[key]) != expected[key]
        ]
    )
    more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
    return "; ".join(problems[:5]) + more
