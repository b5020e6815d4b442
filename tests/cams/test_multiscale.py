"""Scales and mirror images are put on one grid and summed."""

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


def test_a_scale_counts_alike_in_cam_and_gradcam():
    x, targets = batch()
    a, b = (
        multiscale(m, small_classifier(), x, targets, scales=(0.5, 1.0, 1.5)).maps[0] for m in (cam, gradcam)
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
