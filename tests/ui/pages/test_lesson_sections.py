"""Building blocks of the lesson pages: a norm is written with the terms that it has, and comes out."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.printed_sums import comes_out, printed_sums
from vitviz.analysis.arithmetic import normed
from vitviz.ui.pages.lesson.sections import format_norm

X = np.array([-0.3, 0.7, 0.1, -1.2])


def layer_norm() -> nn.LayerNorm:
    norm = nn.LayerNorm(4)
    norm.weight.data = torch.tensor([1.5, -0.5, 0.8, 1.0])
    norm.bias.data = torch.tensor([-0.2, 0.1, 0.3, -0.4])
    return norm


def rms_norm() -> nn.RMSNorm:
    norm = nn.RMSNorm(4, eps=1e-6)
    norm.weight.data = torch.tensor([1.5, -0.5, 0.8, 1.0])
    return norm


@pytest.mark.parametrize("made", [layer_norm, rms_norm])
@pytest.mark.parametrize("channel", range(4))
def test_a_norm_comes_out_and_no_sign_follows_an_operator(made, channel):
    text = format_norm(normed(X, made()), channel)
    ((left, right),) = printed_sums(text)
    assert f"{left} = **{right}**" == text
    assert comes_out(left, right)
    assert not any(f"{operator} −" in text for operator in "+−×/")


def test_a_norm_without_mean_and_shift_has_no_terms_for_them():
    text = format_norm(normed(X, rms_norm()), 0)
    assert "0.0000" not in text
    assert "(" not in text
    assert text.count("+") == 0
    assert format_norm(normed(X, layer_norm()), 1).count("+") == 1
