"""Windows: coverage, weights, and equality with one pass over the whole image."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.models.class_probabilities import class_probabilities
from wsstool.models.windows.blend import blended, over_image
from wsstool.models.windows.field import field_radius
from wsstool.models.windows.plan import Window, Windows, plan_windows, windows_of

CPU = torch.device("cpu")


def strided_network() -> nn.Module:
    """Stride 4, with random weights, upsampled to the input; sees 14 pixels to each side."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 4, 3, 2, 1),
        nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False),
    ).eval()


def seen(image: torch.Tensor, window: Window) -> torch.Tensor:
    (rows, columns) = window
    return image[:, rows.first : rows.end, columns.first : columns.end]


@pytest.mark.parametrize("n", [1, 7, 64, 65, 100, 129, 191, 192, 193, 400])
@pytest.mark.parametrize(
    ("window", "overlap", "step", "cell"), [(64, 32, 1, 1), (64, 16, 16, 4), (64, 0, 8, 8)]
)
def test_every_pixel_counts_once_along_an_axis(n, window, overlap, step, cell):
    spans = Windows(window, overlap, step, cell).along(n)
    weight = torch.zeros(n)
    for s in spans:
        assert 0 <= s.first <= s.begin < s.stop <= s.end <= n and s.end - s.first <= window
        assert s.first % step == 0 and s.begin % cell == 0
        own = torch.ones(s.stop - s.begin)
        if s.lead:
            own[: s.lead] = (torch.arange(s.lead) + 0.5) / s.lead
        if s.trail:
            own[-s.trail :] *= 1 - (torch.arange(s.trail) + 0.5) / s.trail
        weight[s.begin : s.stop] += own
    assert torch.allclose(weight, torch.ones(n))
    assert spans[0].first == 0 and spans[-1].end == n
    for a, b in itertools.pairwise(spans):
        margin = Windows(window, overlap, step, cell).margin
        assert b.begin - b.first >= margin and a.end - a.stop >= margin


@pytest.mark.parametrize("size", [(130, 201), (64, 64), (65, 300), (20, 9)])
@pytest.mark.parametrize("cell", [1, 4])
def test_constant_and_ramp_come_back(size, cell):
    windows = plan_windows(64, 24, multiple=4, cells=(cell,))
    rows, columns = (-(-n // cell) for n in size)
    image = torch.rand(2, rows, columns)

    def compute(window: Window) -> torch.Tensor:
        r, c = window
        return image[:, r.first // cell : -(-r.end // cell), c.first // cell : -(-c.end // cell)]

    assert torch.allclose(over_image(compute, windows, size), image)


@pytest.mark.parametrize(("window", "overlap"), [(128, 64), (160, 64), (256, 96)])
@pytest.mark.parametrize("size", [(300, 420), (301, 423)])
def test_equal_to_one_pass_whatever_the_windows(window, overlap, size):
    """The network sees 10 pixels to each side, the margin has at least 21: the windows leave no trace."""
    network = strided_network()
    image = torch.rand(3, *size)
    whole = class_probabilities([network], image[None], stride=4)[0]
    windows = plan_windows(window, overlap, multiple=4)
    found = over_image(
        lambda w: class_probabilities([network], seen(image, w)[None], stride=4)[0], windows, size
    )
    assert windows.count(size) > 3
    assert torch.allclose(found, whole, atol=1e-5, rtol=0)


def test_the_extent_of_a_crop_does_not_show_inside_it():
    network, image = strided_network(), torch.rand(3, 400, 500)
    windows = plan_windows(128, 48, multiple=4)

    def found(part: torch.Tensor) -> torch.Tensor:
        size = (part.shape[1], part.shape[2])
        return over_image(
            lambda w: class_probabilities([network], seen(part, w)[None], stride=4)[0], windows, size
        )

    whole, crop = found(image), found(image[:, 44:300, 60:416])
    inside = crop[:, 16:-16, 16:-16]
    assert torch.allclose(inside, whole[:, 60:284, 76:400], atol=1e-5, rtol=0)


def test_a_margin_that_is_too_small_shows():
    """The test above can fail: with windows that only touch, borders are visible."""
    network, image = strided_network(), torch.rand(3, 256, 256)
    whole = class_probabilities([network], image[None], stride=4)[0]
    found = over_image(
        lambda w: class_probabilities([network], seen(image, w)[None], stride=4)[0],
        Windows(64, 0, 4),
        (256, 256),
    )
    assert (found - whole).abs().max() > 1e-3


def test_several_scales_are_equal_too():
    network, image = strided_network(), torch.rand(3, 256, 320)
    how = {"scales": (0.5, 1.0, 1.5), "flip": True, "stride": 4}
    whole = class_probabilities([network], image[None], **how)[0]
    windows = plan_windows(128, 64, multiple=4, scales=how["scales"])
    assert windows.step == 8
    found = over_image(
        lambda w: class_probabilities([network], seen(image, w)[None], **how)[0],
        plan_windows(160, 80, multiple=8),
        (256, 320),
    )
    assert torch.allclose(found, whole, atol=1e-5, rtol=0)


def test_blocks_cover_the_image_once_and_hold_one_strip():
    windows, size = plan_windows(64, 24), (150, 200)
    where = windows_of(windows, size)
    covered = torch.zeros(size, dtype=torch.int)
    for top, left, values in blended((torch.ones(1, *w.size) for w in where), where, size):
        covered[top : top + values.shape[1], left : left + values.shape[2]] += 1
        assert torch.allclose(values, torch.ones_like(values))
    assert (covered == 1).all()


@pytest.mark.parametrize(("kernel", "radius"), [(1, 0), (3, 1), (9, 4)])
def test_field_of_a_convolution(kernel, radius):
    assert field_radius(nn.Conv2d(3, 2, kernel, padding=kernel // 2), 64, CPU) == radius


def test_field_of_pooling_over_the_image_has_no_bound():
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Upsample(64))
    assert field_radius(pooled, 64, CPU) is None
    assert field_radius(nn.Conv2d(3, 1, 33, padding=16), 32, CPU) is None
    assert field_radius(strided_network(), 64, CPU) <= 14


def test_windows_that_overlap_too_much():
    with pytest.raises(UsageError, match="--overlap 600 is more than half of --window 1000"):
        plan_windows(1000, 600)
    with pytest.raises(UsageError, match=r"in steps of 32: 64 of 96"):
        plan_windows(90, 40, multiple=32)
    assert plan_windows(5, 0, multiple=16).window == 16


def test_default_windows_fit_any_step():
    assert plan_windows(None, None, multiple=32) == Windows(1024, 256, 32)
    assert plan_windows(None, None, multiple=480) == Windows(1920, 480, 480)
    assert plan_windows(64, None, multiple=32) == Windows(64, 32, 32)
    assert plan_windows(32, None, multiple=32) == Windows(32, 0, 32)
