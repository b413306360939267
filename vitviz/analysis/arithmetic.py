"""Building blocks of a Vision Transformer in plain numpy, which return all intermediate results.

Nothing here runs a model: only the weights of PyTorch modules are read. Computations use float64, weights stay float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from ..errors import ArgumentError
from ..errors.arguments import array, number, typed
from ..errors.brief import brief
from ..model.config import Activation


@brief
@dataclass(frozen=True, eq=False)
class Normed:
    """Intermediate results of a norm, (x - mean) / std * gain + shift.

    LayerNorm (Ba et al. 2016, https://arxiv.org/abs/1607.06450, equation 4), or RMSNorm (Zhang and Sennrich 2019,
    https://arxiv.org/abs/1910.07467, equation 4), for which mean and shift are 0.

    Attributes:
        x: input, float64 [..., channel].
        mean: mean over channels, [...].
        std: square root of the mean squared distance from the mean plus `eps`, [...].
        eps: small constant under the square root, against division by 0.
        gain: learned scale of each channel, float32 [channel].
        shift: learned bias of each channel, float32 [channel].
        result: output, float64 [..., channel].
    """

    x: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    eps: float
    gain: np.ndarray
    shift: np.ndarray
    result: np.ndarray


@typed
def normed(x: np.ndarray, norm: nn.LayerNorm | nn.RMSNorm) -> Normed:
    """Compute a norm over the last axis of [..., channel].

    Raises:
        ArgumentError: if the input does not fit the norm.
    """
    x = array(x, "..., channel", "Inputs of a norm", finite=False).astype(np.float64)
    if x.shape[-1:] != tuple(norm.normalized_shape):
        raise ArgumentError(f"This norm has shape {list(norm.normalized_shape)}; give inputs with as many channels.")
    centred = isinstance(norm, nn.LayerNorm)
    mean = x.mean(axis=-1) if centred else np.zeros(x.shape[:-1])
    std = np.sqrt(((x - mean[..., None]) ** 2).mean(axis=-1) + norm.eps)
    gain = numbers(norm.weight)
    shift = numbers(norm.bias) if centred else np.zeros_like(gain)
    return Normed(x, mean, std, norm.eps, gain, shift, (x - mean[..., None]) / std[..., None] * gain + shift)


@typed
def optional_norm(x: np.ndarray, norm: nn.Module) -> Normed | None:
    """Compute a norm like `normed`; return None if the module is an identity."""
    return None if isinstance(norm, nn.Identity) else normed(x, norm)


@typed
def norm_output(norm: Normed | None, x: np.ndarray) -> np.ndarray:
    """Return the output of a norm, or `x` if there is no norm."""
    return x if norm is None else norm.result


@brief
@dataclass(frozen=True, eq=False)
class Linear:
    """Linear map x W + b, with W in the orientation of the literature: rows are inputs, columns are outputs.

    Attributes:
        weight: W, float32 [input, output]; read-only.
        bias: b, float32 [output]; zeros if the module has no bias.
    """

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, module: nn.Linear, outputs: slice = slice(None)) -> Linear:
        """Return the linear map of a module, restricted to some of its outputs."""
        weight = numbers(module.weight)[outputs].T
        bias = np.zeros(weight.shape[1], np.float32) if module.bias is None else numbers(module.bias)[outputs]
        return cls(weight, bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Map [..., input] to float64 [..., output]."""
        return np.asarray(x, dtype=np.float64) @ self.weight + self.bias


@brief
@dataclass(frozen=True, eq=False)
class Softmax:
    """Intermediate results of a softmax, exp(score - largest) / total.

    Subtracting the largest score does not change the result and prevents overflow.

    Attributes:
        scores: input, float64 [..., key].
        largest: largest score of each row, [...].
        exponentials: exp(score - largest), [..., key]; from 0 to 1.
        total: sum of the exponentials of each row, [...].
        weights: exponentials / total, [..., key]; rows sum to 1.
    """

    scores: np.ndarray
    largest: np.ndarray
    exponentials: np.ndarray
    total: np.ndarray
    weights: np.ndarray


@typed
def softmax(scores: np.ndarray) -> Softmax:
    """Compute the softmax over the last axis of [..., key]."""
    scores = array(scores, "..., key", "Scores", finite=False).astype(np.float64)
    largest = scores.max(axis=-1)
    exponentials = np.exp(scores - largest[..., None])
    total = exponentials.sum(axis=-1)
    return Softmax(scores, largest, exponentials, total, exponentials / total[..., None])


@typed
def softmax_with_temperature(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Compute softmax(scores / temperature) over the last axis, float64 [..., key].

    Args:
        scores: [..., key].
        temperature: 1 gives the plain softmax. Lower values favour the largest score; 0 gives it all the weight, shared
            among equal maxima. Infinity gives uniform weights.

    Raises:
        ArgumentError: if the temperature is negative or NaN, or the scores are invalid.
    """
    temperature = number(temperature, 0, np.inf, "A temperature")
    scores = array(scores, "..., key", "Scores", finite=False).astype(np.float64)
    below = scores - scores.max(axis=-1, keepdims=True)  # subtracted first, because the temperature may be tiny
    with np.errstate(over="ignore"):
        cold = np.where(below == 0, 0.0, -np.inf) if temperature == 0 else below / temperature
    return softmax(cold).weights


@typed
def activated(x: np.ndarray, activation: Activation) -> np.ndarray:
    """Apply the activation function of an MLP elementwise.

    `"gelu"` is x Phi(x) (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415, section 2); `"gelu_tanh"` and
    `"quick_gelu"` are its approximations from the same section; `"silu"` is x sigmoid(x).
    """
    x = array(x, "...", "Inputs of an activation", finite=False, empty=True)
    if activation == "gelu":
        return x * (1 + _erf(x / math.sqrt(2))) / 2
    if activation == "gelu_tanh":
        return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    slope = {"quick_gelu": 1.702, "silu": 1.0}[activation]
    return x * (1 + np.tanh(slope * x / 2)) / 2  # sigmoid(x) = (1 + tanh(x / 2)) / 2, which does not overflow


_erf = np.vectorize(math.erf, otypes=[np.float64])


@typed
def rotated(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotate channels 2i and 2i + 1 of [..., channel] by angle i of [..., pair], in radians, as in RoPE.

    (a, b) becomes (a cos - b sin, a sin + b cos); Su et al. 2021, "RoFormer", equation 13.
    """
    x = array(x, "..., channel", "Channels", finite=False)
    angles = array(angles, "..., pair", "Angles", finite=False)
    if x.shape[-1] != 2 * angles.shape[-1] or angles.shape[:-1] not in ((), x.shape[x.ndim - angles.ndim : -1]):
        raise ArgumentError(
            f"{x.shape[-1]} channels do not match {angles.shape[-1]} angles; give one angle per pair of channels."
        )
    cosine, sine = np.cos(angles), np.sin(angles)
    first, second = x[..., ::2], x[..., 1::2]
    pairs = np.stack([first * cosine - second * sine, first * sine + second * cosine], axis=-1)
    return pairs.reshape(*pairs.shape[:-2], -1)


@typed
def cosines(x: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Compute cosine similarities between [n, channel] and [m, channel], float64 [n, m]; 0 for zero vectors."""
    x, to = (array(one, "n, channel", "Vectors", finite=False, empty=True) for one in (x, to))
    if x.shape[1] != to.shape[1]:
        raise ArgumentError(f"Vectors have {x.shape[1]} and {to.shape[1]} channels; give equal numbers of channels.")
    return unit(x) @ unit(to).T


@typed
def unit(x: np.ndarray) -> np.ndarray:
    """Scale vectors [..., channel] to unit L2 norm, float64; zero vectors stay zero."""
    x = array(x, "..., channel", "Vectors", finite=False, empty=True).astype(np.float64)
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)


@typed
def numbers(tensor: Tensor) -> np.ndarray:
    """Convert a weight to a float32 array; read-only, because it may share memory with the model."""
    array = tensor.detach().cpu().float().numpy()
    array.flags.writeable = False
    return array
