"""Scales and mirror images are put on one grid and summed."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from tests.cams.networks import batch, small_classifier
from wsstool.cams import multiscale
from wsstool.cams.cam import cam
from wsstool.cams.gradcam import gradcam


def test_sum_of_resized_maps_on_the_finest_grid():
    x, targets = batch()
    model = small_classifier()
    found = multiscale(cam, model, x, targets, scales=(1.0, 2.0))
    large = cam(model, F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), targets)
    small = cam(model, x, targets)
    expected = large.maps[0] + F.interpolate(small.maps[0], (10, 14), mode="bilinear", align_corners=False)
    assert found.maps[0].shape == (4, 3, 10, 14)
    torch.testing.assert_close(found.maps[0], expected)
    torch.testing.assert_close(found.logits, (large.logits + small.logits) / 2)
    assert not found.maps[0][~targets].any()


def test_grid_can_be_given():
    x, targets = batch()
    found = multiscale(gradcam, small_classifier(), x, targets, ("backbone.1", "backbone.5"), size=(20, 28))
    assert [tuple(m.shape) for m in found.maps] == [(4, 3, 20, 28)] * 2


@pytest.mark.parametrize("gradient", [gradcam, partial(gradcam)], ids=["plain", "with settings"])
def test_a_scale_counts_alike_in_cam_and_gradcam(gradient):
    x, targets = batch()
    a, b = (
        multiscale(m, small_classifier(), x, targets, scales=(0.5, 1.0, 1.5)).maps[0] for m in (cam, gradient)
    )
    torch.testing.assert_close(a / a[0, 0].numel(), b)


def test_order_of_scales_does_not_matter():
    x, targets = batch()
    a, b = (
        multiscale(cam, small_classifier(), x, targets, scales=s).maps[0] for s in ((0.5, 1.5), (1.5, 0.5))
    )
    assert torch.equal(a, b)


@pytest.mark.parametrize("scales", [(), (0.0,), (1.0, -1.0)])
def test_scales_must_be_positive(scales):
    x, targets = batch()
    with pytest.raises(ValueError, match="scales"):
        multiscale(cam, small_classifier(), x, targets, scales=scales)


def test_rectified_passes_are_summed_without_cancelling():
    torch.manual_seed(3)
    model, x = small_classifier(), torch.randn(1, 3, 32, 32)
    targets = torch.ones(1, 3, dtype=torch.bool)
    plain = multiscale(cam, model, x, targets, flip=True).maps[0]
    found = multiscale(cam, model, x, targets, flip=True, rectify=True).maps[0]
    one = cam(model, x, targets).maps[0].clamp_min(0)
    mirrored = cam(model, x.flip(-1), targets).maps[0].flip(-1).clamp_min(0)
    assert torch.allclose(found, one + mirrored, atol=1e-6)
    assert (found >= plain - 1e-6).all() and (plain < 0).any()
