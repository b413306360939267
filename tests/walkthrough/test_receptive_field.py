"""Receptive fields of convolutional networks: hand calculations, and measurements on a network."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from vitviz.walkthrough.receptive_field import at_depth, convolutions, covered_share, receptive_field, resnet50


def test_chains_on_paper():
    assert receptive_field([]) == 1
    assert receptive_field([(3, 1)]) == 3
    assert receptive_field([(2, 2), (2, 2)]) == 4
    assert receptive_field([(7, 2), (3, 2)]) == 11


@pytest.mark.parametrize("count", [0, 1, 2, 12])
def test_convolutions(count):
    assert convolutions(count).side == 1 + 2 * count
    assert convolutions(count, patch=14).side == 14 * (1 + 2 * count)
    assert convolutions(count).reach == count


def test_resnet50():
    paper, usual = resnet50(), resnet50(stride_in="middle")
    assert len(paper) == len(usual) == 17
    ends = ("stem", "conv2, block 3", "conv3, block 4", "conv4, block 6", "conv5, block 3")
    assert [field.side for field in paper if field.layer in ends] == [11, 35, 99, 291, 483]
    assert [field.side for field in usual if field.layer in ends] == [11, 35, 91, 267, 427]


def seen_by(network, size):
    """Measure the receptive field of the centre of a feature map by gradients."""
    pixels = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    features = network.double()(pixels)
    middle = features.shape[-1] // 2
    features[0, :, middle, middle].sum().backward()
    rows = pixels.grad.abs().sum(dim=(0, 1, 3)).nonzero()
    return int(rows.max() - rows.min()) + 1


def test_a_real_stack_of_convolutions():
    network = nn.Sequential(nn.Conv2d(3, 4, 5, 5), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
    assert seen_by(network, 80) == convolutions(2, patch=5).side


def test_a_real_resnet50():
    """Measure the first two stages of timm's ResNet-50, with average instead of max pooling."""
    resnet = timm.create_model("resnet50", layers=(3, 4, 1, 1)).eval()  # the last two stages are not measured
    with torch.no_grad():
        for name, weight in resnet.named_parameters():
            if name.endswith("weight"):
                weight.abs_().add_(0.01)  # against cancellation and clipping
    network = nn.Sequential(
        nn.Sequential(resnet.conv1, resnet.bn1, nn.AvgPool2d(3, 2, 1)), resnet.layer1, resnet.layer2
    )
    fields = {field.layer: field.side for field in resnet50(stride_in="middle")}
    assert seen_by(network[:1], 64) == fields["stem"]
    assert seen_by(network[:2], 128) == fields["conv2, block 3"]
    assert seen_by(network, 256) == fields["conv3, block 4"]


def test_the_same_depth():
    first, last = at_depth(0, 12, 14), at_depth(11, 12, 14)
    assert (first.on_pixels.side, first.on_patches.side) == (3, 42)
    assert (first.resnet50.layer, last.resnet50.layer) == ("conv2, block 2", "conv5, block 3")
    assert last.resnet50.side == 483
    sides = [at_depth(layer, 12, 14).resnet50.side for layer in range(12)]
    assert sides == sorted(sides)
    assert at_depth(-1, 12, 14) == last
    assert [at_depth(layer, 40, 14).resnet50.layer for layer in (0, 39)] == ["conv2, block 1", "conv5, block 3"]
    with pytest.raises(IndexError, match="layer 12"):
        at_depth(12, 12, 14)


@pytest.mark.parametrize(("side", "x", "y"), [(3, 7, 7), (42, 119, 119), (42, 7, 217), (483, 112, 112), (27, 224, 0)])
def test_the_covered_share_counts_pixels(side, x, y):
    middles = np.arange(224) + 0.5
    exact = 4  # parts of a pixel, for squares that end between two pixels
    fine = (np.arange(224 * exact) + 0.5) / exact
    across, down = (np.abs(fine - at) < side / 2 for at in (x, y))
    assert covered_share(side, x, y, len(middles), 224) == pytest.approx(across.mean() * down.mean(), abs=1e-9)


def test_resnet50_covers_a_small_image_at_the_first_layer_and_a_photograph_does_not():
    """Check an image of digits, 32 px and 6 layers, and one of 224 px and 12 layers."""
    small, large = at_depth(0, 6, 4).resnet50, at_depth(0, 12, 14).resnet50
    assert small.side == 35
    assert small.covered(16, 16, 32, 32) == 1
    assert small.covered(2, 2, 32, 32) < 1
    assert large.covered(112, 112, 224, 224) == pytest.approx((27 / 224) ** 2)
