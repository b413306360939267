"""Baseline images, which carry no content, and model outputs with some patches replaced by a baseline."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors.arguments import of_kind, one_of
from ...errors.progress import Progress, silent
from ...model.hooks import without_hooks
from ...model.precision import as_result, plain_arithmetic
from ...trace.passes import edits_of
from ...trace.trace import Trace
from .method import Parameter
from .targets import Target

BASELINES = ("blur", "mean")
BLUR = 1 / 8  # standard deviation of the blur, as a fraction of the input's shorter side
TOKENS_AT_ONCE = 2048  # tokens per batch: larger batches are not faster on a CPU and take more memory


def baseline_label(kind: str) -> str:
    """Return the name of a baseline on screen."""
    return {"blur": "blurred image", "mean": "mean colour"}[kind]


def baseline_parameter(label: str, default: str, before: str) -> Parameter:
    """Return a parameter that selects a baseline; `before` is a word put in front of each option."""
    return Parameter("baseline", label, default, lambda *_: BASELINES, lambda kind: f"{before} {baseline_label(kind)}")


def baseline_pixels(trace: Trace, kind: str = "blur") -> Tensor:
    """Return the baseline of a trace's image, as model input: float32 [channel, H, W].

    Args:
        trace: trace of the image.
        kind: `"blur"`, a Gaussian blur whose standard deviation is an eighth of the shorter side; or `"mean"`, the
            image's mean colour everywhere.

    Raises:
        VitvizError: if the kind is unknown.
    """
    of_kind(trace, Trace, "trace")
    pixels = torch.tensor(trace.pixels())
    if one_of(kind, BASELINES, "baseline") == "mean":
        return pixels.mean(dim=(1, 2), keepdim=True).expand_as(pixels).contiguous()
    return _blurred(pixels, BLUR * min(pixels.shape[1:]))


def _blurred(pixels: Tensor, sigma: float) -> Tensor:
    """Apply a separable Gaussian blur with reflection padding."""
    radius = min(int(3 * sigma + 0.5), min(pixels.shape[1:]) - 1)
    kernel = torch.exp(-torch.arange(-radius, radius + 1, dtype=torch.float32).square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(pixels[:, None], (radius,) * 4, mode="reflect")  # channels are the batch
    return F.conv2d(F.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None])[:, 0]


def masked_values(
    trace: Trace, hidden: Tensor, target: Target, baseline: Tensor, progress: Progress | None = None
) -> Tensor:
    """Compute the target for images with some patches replaced by a baseline, in batches.

    Args:
        trace: trace of the image.
        hidden: masks of the replaced patches, bool [mask, rows, columns].
        target: target to compute.
        baseline: replacement pixels, see `baseline_pixels`.
        progress: callback, called with the number of masks done and their total number.

    Returns:
        Values of the target, float32 [mask].
    """
    report = progress or silent
    image, patch = torch.tensor(trace.pixels()), trace.config.patch_size
    values = []
    for part in hidden.split(max(1, TOKENS_AT_ONCE // trace.token_count)):
        of_pixels = part.repeat_interleave(patch, dim=1).repeat_interleave(patch, dim=2)[:, None]
        with plain_arithmetic(), without_hooks(), torch.no_grad(), edits_of(trace):
            values.append(target(as_result(trace.model(torch.where(of_pixels, baseline, image)))))
        report(sum(map(len, values)), len(hidden))
    return torch.cat(values)
