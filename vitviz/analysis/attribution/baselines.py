"""What stands for "nothing to see": images without their content, and images of which some patches are missing."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors.arguments import of_kind, one_of
from ...errors.progress import Progress, silent
from ...model.hooks import without_hooks
from ...model.precision import plain_arithmetic
from ...trace.trace import Trace
from .method import Parameter
from .targets import Target

BASELINES = ("blur", "mean")
BLUR = 1 / 8  # standard deviation of the blur, in shorter sides of the input
TOKENS_AT_ONCE = 2048  # in one batch: larger ones are not faster on a processor, and take memory


def baseline_words(kind: str) -> str:
    """Name of an image without content on screen."""
    return {"blur": "blurred image", "mean": "mean colour"}[kind]


def baseline_parameter(label: str, default: str, before: str) -> Parameter:
    """Parameter that chooses a baseline, its options written with a word before them."""
    return Parameter("baseline", label, default, lambda *_: BASELINES, lambda kind: f"{before} {baseline_words(kind)}")


def baseline_pixels(trace: Trace, kind: str = "blur") -> Tensor:
    """The image of a trace without its content, as it enters the model: float32 [channel, H, W].

    Args:
        trace: whose image.
        kind: `"blur"`, a Gaussian blur whose standard deviation is an eighth of the shorter side; or `"mean"`, the
            image's mean colour everywhere.

    Raises:
        VitvizError: if there is no such kind.
    """
    of_kind(trace, Trace, "trace")
    pixels = torch.tensor(trace.pixels())
    if one_of(kind, BASELINES, "baseline") == "mean":
        return pixels.mean(dim=(1, 2), keepdim=True).expand_as(pixels).contiguous()
    return _blurred(pixels, BLUR * min(pixels.shape[1:]))


def _blurred(pixels: Tensor, sigma: float) -> Tensor:
    """Blur along columns, then along rows; at the edges the image is mirrored."""
    radius = min(int(3 * sigma + 0.5), min(pixels.shape[1:]) - 1)
    kernel = torch.exp(-torch.arange(-radius, radius + 1, dtype=torch.float32).square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(pixels[:, None], (radius,) * 4, mode="reflect")  # the channels are a batch
    return F.conv2d(F.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None])[:, 0]


def masked_values(
    trace: Trace, hidden: Tensor, target: Target, baseline: Tensor, progress: Progress | None = None
) -> Tensor:
    """The target of the image with some patches replaced, for many choices of patches, in batches.

    Args:
        trace: the image and its model.
        hidden: which patches are replaced, bool [choice, rows, columns].
        target: what to compute.
        baseline: what replaces them, as `baseline_pixels` makes it.
        progress: called with how many are done and how many there are.

    Returns:
        float32 [choice].
    """
    report = progress or silent
    image, patch = torch.tensor(trace.pixels()), trace.config.patch_size
    values = []
    for part in hidden.split(max(1, TOKENS_AT_ONCE // trace.token_count)):
        of_pixels = part.repeat_interleave(patch, dim=1).repeat_interleave(patch, dim=2)[:, None]
        with plain_arithmetic(), without_hooks(), torch.no_grad():
            values.append(target(trace.model(torch.where(of_pixels, baseline, image))))
        report(sum(map(len, values)), len(hidden))
    return torch.cat(values)
