"""Dense scores: the two ways agree, and both hold the coarse network's own scores."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.models.heads.fcn_networks import lively, small_fcn
from wsstool.errors import UsageError
from wsstool.models.dense import rarefy, shift_and_stitch
from wsstool.models.heads.fcn import FCN, build_fcn
from wsstool.registry import DENSE


def network_of(arch: str) -> FCN:
    torch.manual_seed(0)
    head, backbone, *stride = arch.split("/")
    return lively(build_fcn(head, backbone, 2, output_stride=int(stride[0]) if stride else None))


@pytest.mark.parametrize("arch", ["fcn8s/tiny", "fcn4s/tiny/4"])
def test_both_ways_agree_and_hold_the_coarse_scores(arch: str) -> None:
    network = network_of(arch)
    step = int(network.taps[0].grid.step)
    x = torch.randn(1, 3, 13, 21, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        stitched, rarefied = shift_and_stitch(network)(x), rarefy(network)(x)
        assert stitched.shape == rarefied.shape == (1, 2, 13, 21)
        assert (stitched - rarefied).abs().max() < 1e-4 * stitched.std()
        assert (stitched[..., 1:] - stitched[..., :-1]).abs().min() > 0  # no score stands for two pixels
        margin = 12 * step
        coarse = network.class_maps(F.pad(x, (margin, margin + 3, margin, margin + 3)))
    first = int(network.taps[0].grid.start // 1)
    wanted = stitched[..., first % step :: step, first % step :: step]
    begin = (margin + first % step - first) // step
    rows, columns = wanted.shape[-2:]
    found = coarse[..., begin : begin + rows, begin : begin + columns]
    assert (found - wanted).abs().max() < 1e-4 * stitched.std()


def test_the_published_network() -> None:
    """Stride 32, 100 pixels of padding, a 7x7 layer without any, and colours turned round."""
    network = lively(small_fcn("fcn32s", 2, channel_order="bgr"))
    x = torch.randn(1, 3, 3, 2, generator=torch.Generator().manual_seed(1))
    dense = rarefy(network)
    assert dense.grid.field == 404
    with torch.no_grad():
        found = dense(x)
        # the coarse network's cell 0 is centred between pixels 12 and 13; in a sea of 320 pixels it moves
        for row, column in ((0, 0), (2, 1)):
            sea = F.pad(x, (332 - column, 400, 332 - row, 400))  # the pixel comes to lie at 332 = 320 + 12
            cell = network.class_maps(sea)[0, :, 10, 10]
            torch.testing.assert_close(found[0, :, row, column], cell, rtol=1e-4, atol=1e-5)
    assert shift_and_stitch(network).shifts == 32


def test_weights_are_shared_and_the_network_stays_as_it_was() -> None:
    network = lively(small_fcn("fcn32s"))
    x = torch.randn(1, 3, 9, 9)
    with torch.no_grad():
        before = network(x)
        dense = rarefy(network)
        assert dense.network.fc6.weight.data_ptr() == network.fc6.weight.data_ptr()
        assert torch.equal(network(x), before)


@pytest.mark.parametrize("name", DENSE.names())
def test_what_they_are_not_for(name: str) -> None:
    method = DENSE.load(name)
    for network in (torch.nn.Conv2d(3, 2, 1), build_fcn("fcn4s", "tiny", 2)):
        with pytest.raises(UsageError, match="single score map"):
            method(network)
    with torch.device("meta"):
        network = build_fcn("fcn32s", "mobilenet-v3-small", 2)
    with pytest.raises(UsageError, match="whole image"):
        method(network)
