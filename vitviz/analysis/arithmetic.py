"""The sums of a Vision Transformer in plain numpy, so that they can be shown with all their ingredients.

Nothing here runs a model: PyTorch modules are only read. Sums are float64, weights stay as they are stored (float32).
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
    """A norm by hand: (x - mean) / std, times a gain, plus a shift.

    LayerNorm (Ba et al. 2016, https://arxiv.org/abs/1607.06450, equation 4), or RMSNorm, which takes no mean away
    (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467, equation 4): then mean and shift are 0.

    Attributes:
        x: what entered, float64 [..., channel].
        mean: its mean, [...].
        std: the root of its mean squared distance from that, plus `eps` under the root, [...].
        eps: keeps the root away from 0.
        gain: the learned factor of each channel, float32 [channel].
        shift: the learned offset of each channel, float32 [channel].
        result: what left, float64 [..., channel].
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
    """Compute a norm of the last axis of [..., channel] by hand.

    Raises:
        ArgumentError: if these are no such numbers.
    """
    x = array(x, "..., channel", "Inputs of a norm", finite=False).astype(np.float64)
    if x.shape[-1:] != tuple(norm.normalized_shape):
        raise ArgumentError(f"This norm is of {list(norm.normalized_shape)} channels; give as many as it has.")
    centred = isinstance(norm, nn.LayerNorm)
    mean = x.mean(axis=-1) if centred else np.zeros(x.shape[:-1])
    std = np.sqrt(((x - mean[..., None]) ** 2).mean(axis=-1) + norm.eps)
    gain = numbers(norm.weight)
    shift = numbers(norm.bias) if centred else np.zeros_like(gain)
    return Normed(x, mean, std, norm.eps, gain, shift, (x - mean[..., None]) / std[..., None] * gain + shift)


@typed
def normed_if(x: np.ndarray, norm: nn.Module) -> Normed | None:
    """A norm by hand; None where the model has none."""
    return None if isinstance(norm, nn.Identity) else normed(x, norm)


@typed
def after(norm: Normed | None, x: np.ndarray) -> np.ndarray:
    """What left a norm; `x` itself where there is none."""
    return x if norm is None else norm.result


@brief
@dataclass(frozen=True, eq=False)
class Linear:
    """A linear map x W + b, the matrix as the literature writes it: rows are inputs, columns are outputs.

    Attributes:
        weight: W, float32 [input, output]; read-only.
        bias: b, float32 [output]; zeros if the model has none.
    """

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, module: nn.Linear, outputs: slice = slice(None)) -> Linear:
        """Some or all outputs of a module."""
        weight = numbers(module.weight)[outputs].T
        bias = np.zeros(weight.shape[1], np.float32) if module.bias is None else numbers(module.bias)[outputs]
        return cls(weight, bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Map [..., input] to float64 [..., output]."""
        return np.asarray(x, dtype=np.float64) @ self.weight + self.bias


@brief
@dataclass(frozen=True, eq=False)
class Softmax:
    """A softmax by hand: exp(score - largest), divided by their sum.

    The largest is taken away first, which changes nothing but keeps exp from overflowing.

    Attributes:
        scores: float64 [..., key].
        largest: the largest of each row, [...].
        exponentials: exp(score - largest), [..., key]; from 0 to 1.
        total: their sum, [...].
        weights: exponentials / total, [..., key]; rows sum to 1.
    """

    scores: np.ndarray
    largest: np.ndarray
    exponentials: np.ndarray
    total: np.ndarray
    weights: np.ndarray


@typed
def softmax(scores: np.ndarray) -> Softmax:
    """Compute the softmax over the last axis of [..., key] by hand."""
    scores = array(scores, "..., key", "Scores", finite=False).astype(np.float64)
    largest = scores.max(axis=-1)
    exponentials = np.exp(scores - largest[..., None])
    total = exponentials.sum(axis=-1)
    return Softmax(scores, largest, exponentials, total, exponentials / total[..., None])


@typed
def tempered(scores: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(scores / temperature) over the last axis, float64 [..., key].

    Args:
        scores: [..., key].
        temperature: 1 is the softmax; the smaller, the more the largest wins; at 0 it takes all (equal largest ones
            share); at infinity all get the same.

    Raises:
        ArgumentError: if the temperature is negative or not a number, or these are no scores.
    """
    temperature = number(temperature, 0, np.inf, "A temperature")
    scores = array(scores, "..., key", "Scores", finite=False).astype(np.float64)
    below = scores - scores.max(axis=-1, keepdims=True)  # the difference first: it may be divided by almost nothing
    with np.errstate(over="ignore"):
        cold = np.where(below == 0, 0.0, -np.inf) if temperature == 0 else below / temperature
    return softmax(cold).weights


@typed
def activated(x: np.ndarray, activation: Activation) -> np.ndarray:
    """The activation of an MLP, number by number.

    `"gelu"` is x Phi(x), Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415, section 2, where `"gelu_tanh"`
    and `"quick_gelu"` are given as approximations; `"silu"` is x sigmoid(x).
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
def turned(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turn channels 2i and 2i + 1 of [..., channel] by angle i of [..., pair], in radians.

    (a, b) becomes (a cos - b sin, a sin + b cos); Su et al. 2021, "RoFormer", equation 13.
    """
    x = array(x, "..., channel", "Channels", finite=False)
    angles = array(angles, "..., pair", "Angles", finite=False)
    if x.shape[-1] != 2 * angles.shape[-1] or angles.shape[:-1] not in ((), x.shape[x.ndim - angles.ndim : -1]):
        raise ArgumentError(f"{x.shape[-1]} channels make no {angles.shape[-1]} pairs; give an angle for each pair.")
    cosine, sine = np.cos(angles), np.sin(angles)
    first, second = x[..., ::2], x[..., 1::2]
    pairs = np.stack([first * cosine - second * sine, first * sine + second * cosine], axis=-1)
    return pairs.reshape(*pairs.shape[:-2], -1)


@typed
def cosines(x: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Cosine of each vector of [n, channel] to each of [m, channel]: float64 [n, m]; one of zeros has cosine 0."""
    x, to = (array(one, "n, channel", "Vectors", finite=False, empty=True) for one in (x, to))
    if x.shape[1] != to.shape[1]:
        raise ArgumentError(f"Vectors of {x.shape[1]} and of {to.shape[1]} numbers have no cosine; give as many.")
    return unit(x) @ unit(to).T


@typed
def unit(x: np.ndarray) -> np.ndarray:
    """Vectors [..., channel] scaled to length 1, float64; those of zeros stay so."""
    x = array(x, "..., channel", "Vectors", finite=False, empty=True).astype(np.float64)
    lengths = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0)


@typed
def numbers(tensor: Tensor) -> np.ndarray:
    """A weight as float32 numbers; read-only, for they may be the model's own memory."""
    array = tensor.detach().cpu().float().numpy()
    array.flags.writeable = False
    return array
