"""BCAM in residual form, the decoder, and the parts of BRINet, against plain computations."""

import pytest
import torch
import torch.nn.functional as F

from wsstool.models.referring.aspp import RatePyramid
from wsstool.models.referring.bcam import ResidualBCAM
from wsstool.models.referring.decoder import PyramidDecoder, decoder_widths
from wsstool.models.referring.gated_fusion import GatedFusion
from wsstool.models.referring.words import Sentences

IMAGE_OF = torch.tensor([1, 0, 1])


@pytest.fixture
def heard() -> Sentences:
    torch.manual_seed(1)
    return Sentences(torch.randn(3, 4, 5), torch.ones(3, 4, dtype=torch.bool), torch.randn(3, 4))


@torch.no_grad()
def test_residual_form(heard):
    module, x = ResidualBCAM(7, 6, 5, 4), torch.randn(3, 7, 4, 5)
    found = module(x, heard)
    for s in range(3):
        one = Sentences(*(part[s : s + 1] for part in heard))
        attended = module.bcam(x[s : s + 1], one)[0]  # (P,D)
        for row in range(4):
            for column in range(5):
                image = x[s, :, row, column]
                words = module.expand(attended[row * 5 + column].clamp(min=0))
                wanted = image / image.norm() + words / words.norm()  # as published, up to its length
                torch.testing.assert_close(found[s, :, row, column], wanted * image.norm())


@torch.no_grad()
def test_input_is_reduced_to_unit_length_before_attention(heard):
    module, x = ResidualBCAM(7, 6, 5, 4), torch.randn(3, 7, 4, 5)
    module.bcam.reduce.bias.zero_()
    torch.testing.assert_close(module(64 * x, heard), 64 * module(x, heard), rtol=1e-4, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("images", [1, 2])
def test_one_map_per_image_equals_one_per_sentence(heard, images):
    module, x = ResidualBCAM(7, 6, 5, 4), torch.randn(images, 7, 4, 5)
    image_of = IMAGE_OF % images
    torch.testing.assert_close(module(x, heard, image_of), module(x[image_of], heard))


def test_decoder_widths():
    assert decoder_widths(512, 5) == [512, 256, 128, 64, 32]
    assert decoder_widths(48, 5) == [48, 24, 16, 16, 16]
    assert decoder_widths(8, 3) == [8, 8, 8]


@torch.no_grad()
def test_decoder_step_by_step():
    torch.manual_seed(0)
    decoder = PyramidDecoder([3, 5, 7], 64)
    fine, middle, deep = torch.randn(2, 3, 9, 7), torch.randn(3, 5, 5, 4), torch.randn(3, 7, 3, 2)
    found = decoder([fine, middle, deep], IMAGE_OF, shared=1)

    def conv(layer, x):
        return F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)

    def up(x, size):
        return F.interpolate(x, size, mode="bilinear", align_corners=False)

    top = conv(decoder.laterals[0], deep).clamp(min=0)
    second = conv(decoder.laterals[1], middle) + up(conv(decoder.reduce[0], top), (5, 4))
    second = conv(decoder.smooth[0], second).clamp(min=0)
    third = conv(decoder.laterals[2], fine[IMAGE_OF]) + up(conv(decoder.reduce[1], second), (9, 7))
    third = conv(decoder.smooth[1], third).clamp(min=0)
    for k, y in enumerate((top, second, third)):
        torch.testing.assert_close(found[k], conv(decoder.classify[k], y))
    assert [y.shape[1] for y in (top, second, third)] == [64, 32, 16]


def test_maps_start_low():
    assert all(layer.bias.item() == -2 for layer in PyramidDecoder([3, 5], 16).classify)


@torch.no_grad()
def test_rate_pyramid_has_its_rates():
    """With one weight per branch at a corner of the kernel, each branch shifts the map by its rate."""
    pyramid = RatePyramid(1, 1)
    for branch in pyramid.branches:
        branch.weight.zero_()
        branch.weight[0, 0, 0, 0] = 1
        branch.bias.zero_()
    pyramid.join.weight.copy_(torch.tensor([1.0, 10, 100, 1000]).view(1, 4, 1, 1))
    pyramid.join.bias.zero_()
    x = torch.zeros(1, 1, 9, 9)
    x[..., 0, 0] = 1
    wanted = torch.zeros(9, 9)
    for rate, factor in ((1, 1.0), (3, 10.0), (5, 100.0), (7, 1000.0)):
        wanted[rate, rate] = factor
    torch.testing.assert_close(pyramid(x)[0, 0], wanted)


@torch.no_grad()
def test_gates_in_both_directions():
    torch.manual_seed(0)
    fusion = GatedFusion(4, 3)
    shallow, middle, deep = torch.randn(3, 2, 4, 5, 6).unbind(0)

    def gated(gate, a, b):
        mixed = F.conv2d(torch.cat([a, b], 1), gate.mix.weight, gate.mix.bias).clamp(min=0)
        share = F.conv2d(mixed, gate.gate.weight, gate.gate.bias, padding=1)
        return a / (1 + torch.exp(-share)) + b

    down = gated(fusion.down[1], gated(fusion.down[0], deep, middle), shallow)
    up = gated(fusion.up[1], gated(fusion.up[0], shallow, middle), deep)
    torch.testing.assert_close(fusion([shallow, middle, deep]), down + up)


def test_empty_positions_have_gradients(heard):
    """After a ReLU, all channels of a position may be zero."""
    module, x = ResidualBCAM(7, 6, 5, 4), torch.zeros(3, 7, 2, 2, requires_grad=True)
    module(x, heard).sum().backward()
    assert x.grad.isfinite().all()
