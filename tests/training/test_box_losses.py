"""Box losses by hand, by their limits, and by what they teach."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from wsstool.errors import UsageError
from wsstool.registry import BOX_LOSSES
from wsstool.training.losses.bags import bags
from wsstool.training.losses.box_targets import box_target
from wsstool.training.losses.object_mask import object_mask
from wsstool.training.losses.pairwise import lab, pairwise, shifted
from wsstool.training.losses.projection_dice import projection_dice
from wsstool.training.losses.tightness import tightness
from wsstool.training.losses.zero import zero

LN2 = math.log(2)


def target_of(box, size=(4, 4), *, view=None, extent=None, image=None, **more):
    """One box on a map; the view has the size of the map unless told."""
    view = view or size
    images = torch.zeros(1, 3, *view) if image is None else image
    extents = torch.tensor([extent or view])
    return box_target(torch.tensor([box], dtype=torch.float32), images, extents, size, **more)


def map_of(rows):
    """Logits: 9 where a text has '#', -9 elsewhere."""
    return torch.tensor([[[9.0 if c == "#" else -9.0 for c in row] for row in rows]])


class TestTargets:
    def test_cells_whose_centre_the_box_holds(self):
        target = target_of((2.9, 1.0, 8.0, 5.1), (4, 4), view=(8, 8))
        assert target.columns.tolist() == [[0, 1, 1, 1]]  # centres 1, 3, 5, 7
        assert target.rows.tolist() == [[1, 1, 1, 0]]
        assert target.inside[0].sum() == 9 and target.valid.all()

    def test_a_box_without_a_centre_gets_the_nearest(self):
        target = target_of((3.2, 0.0, 4.4, 0.5), (4, 4), view=(8, 8))
        assert target.columns.tolist() == [[0, 1, 0, 0]] and target.rows.tolist() == [[1, 0, 0, 0]]

    def test_padding_does_not_count(self):
        target = target_of((0, 0, 4, 4), (4, 4), view=(8, 8), extent=(8, 5))
        assert target.columns_count.tolist() == [[True, True, False, False]]
        assert target.rows_count.all() and target.valid[0].sum(1).tolist() == [2] * 4

    def test_slack_forgives_the_rim(self):
        target = target_of((0, 2, 10, 12), (16, 16), slack=0.2)
        assert target.columns.sum() == 10
        assert (~target.columns_count[0]).nonzero().flatten().tolist() == [0, 1, 8, 9]
        assert (~target.rows_count[0]).nonzero().flatten().tolist() == [2, 3, 10, 11]
        with pytest.raises(UsageError, match="--box-slack"):
            target_of((0, 0, 2, 2), slack=0.5)

    def test_masks_on_the_grid(self):
        mask = torch.tensor([[[1, 0, 255, 255], [1, 1, 255, 1]]], dtype=torch.uint8)
        target = target_of((0, 0, 4, 2), (1, 2), view=(2, 4), mask=mask)
        assert target.mask[0, 0].tolist() == [0.75, 1.0]
        assert target_of((0, 0, 4, 2), (2, 2), view=(2, 4), mask=mask).mask[0, 0].isnan().tolist() == [
            False,
            True,
        ]


class TestByHand:
    def test_tightness(self):
        logits = torch.tensor([[[1.0, -1.0], [-2.0, -3.0]]])  # maxima: rows 1, -2; columns 1, -1
        target = target_of((0, 0, 1, 1), (2, 2))
        expected = (F.softplus(torch.tensor([-1.0, -2.0, -1.0, -1.0]))).mean()
        assert tightness(logits, target).item() == pytest.approx(expected.item())

    def test_tightness_leaves_padding_and_rim_out(self):
        logits = torch.full((1, 4, 4), -3.0)
        logits[..., 2:] = 100.0  # in the padding
        target = target_of((0, 0, 2, 4), (4, 4), extent=(4, 2))
        assert tightness(logits, target).item() == pytest.approx(F.softplus(torch.tensor(3.0)).item())
        hot = torch.zeros(1, 10, 10)
        hot[:, 1:9, 1:9] = 50
        hot[hot == 0] = -50
        assert tightness(hot, target_of((0, 0, 10, 10), (10, 10), slack=0.1)).item() < 1e-6
        assert tightness(hot, target_of((0, 0, 10, 10), (10, 10))).item() == pytest.approx(10.0)

    @pytest.mark.parametrize("side", [8, 32, 64])
    def test_zero_keeps_its_balance_with_tightness_at_any_size(self, side):
        logits = torch.zeros(1, side, side)
        target = target_of((0, 0, side / 2, side / 2), (side, side))
        ratio = 0.05 * zero(logits, target) / tightness(logits, target)
        assert ratio.item() == pytest.approx(0.05 * 320 / 2)  # 8, as at 320 pixels
        plain = 0.05 * zero(logits, target, reference=0) / tightness(logits, target)
        assert plain.item() == pytest.approx(0.05 * side / 2)

    def test_zero_is_the_published_sum(self):
        logits = torch.randn(2, 6, 6)
        target = target_of((0, 0, 2, 2), (6, 6))
        target = type(target)(**{**vars(target), "valid": torch.ones(2, 6, 6, dtype=torch.bool)})
        by_hand = -torch.log(1 - logits.sigmoid()).sum((1, 2)).mean() / 12
        assert zero(logits, target, reference=0).item() == pytest.approx(by_hand.item(), rel=1e-5)

    def test_projection_dice(self):
        target = target_of((0, 0, 2, 1), (2, 2))
        logits = torch.full((1, 2, 2), -50.0)
        logits[0, 0, 0] = 0.0  # rows .5, 0 against 1, 0; columns .5, 0 against 1, 1
        expected = (1 - 2 * 0.5 / (0.25 + 1)) + (1 - 2 * 0.5 / (0.25 + 2))
        assert projection_dice(logits, target).item() == pytest.approx(expected)
        assert projection_dice(map_of(["##", ".."]), target).item() == pytest.approx(0, abs=1e-3)

    def test_bags_are_cut_at_the_box(self):
        target = target_of((1, 1, 3, 3), (4, 4))
        good, moved = map_of(["....", ".##.", ".##.", "...."]), map_of(["....", "#..#", "#..#", "...."])
        assert bags(good, target, smoothness=0).item() < 1e-3
        assert bags(moved, target, smoothness=0).item() > 9
        assert bags(torch.zeros(1, 4, 4), target).item() == pytest.approx(2 * LN2)

    def test_bags_smoothness(self):
        target = target_of((0, 0, 2, 1), (1, 2))
        logits = torch.tensor([[[50.0, -50.0]]])
        difference = bags(logits, target, smoothness=1.0) - bags(logits, target, smoothness=0.0)
        assert difference.item() == pytest.approx(1.0)

    def test_pairwise_is_minus_log_of_agreement(self):
        target = target_of((0, 0, 2, 1), (1, 2))
        p, q = 0.8, 0.3
        logits = torch.logit(torch.tensor([[[p, q]]]))
        expected = -math.log(p * q + (1 - p) * (1 - q))
        assert pairwise(logits, target, dilation=1).item() == pytest.approx(expected, rel=1e-5)
        assert pairwise(logits, target, dilation=2).item() == 0  # no pair so far apart

    def test_pairwise_stops_at_colour_edges_and_outside(self):
        image = torch.zeros(1, 3, 1, 4)
        image[..., 2:] = 255
        target = target_of((0, 0, 4, 1), (1, 4), image=image)
        edge = torch.tensor([[[9.0, 9.0, -9.0, -9.0]]])
        other = torch.tensor([[[9.0, -9.0, -9.0, -9.0]]])
        assert pairwise(edge, target, dilation=1).item() < 1e-3
        assert pairwise(other, target, dilation=1).item() == pytest.approx((9 - LN2) / 2, abs=0.01)
        outside = target_of((3, 0, 4, 1), (1, 4), image=image)
        assert pairwise(other, outside, dilation=1).item() < 1e-3

    def test_pairwise_warms_up(self):
        logits = torch.randn(1, 5, 5)
        full = pairwise(logits, target_of((0, 0, 5, 5), (5, 5)))
        half = pairwise(logits, target_of((0, 0, 5, 5), (5, 5), done=0.075))
        assert half.item() == pytest.approx(full.item() / 2)
        assert pairwise(logits, target_of((0, 0, 5, 5), (5, 5), done=0.0)).item() == 0

    def test_mask(self):
        mask = torch.tensor([[[1, 0], [255, 255]]], dtype=torch.uint8)
        target = target_of((0, 0, 2, 2), (2, 2), mask=mask)
        expected = LN2 + 1 - 2 * 0.5 / (0.5 + 1)
        logits = torch.zeros(1, 2, 2)
        assert object_mask(logits, target).item() == pytest.approx(expected)
        logits[0, 1] = 77.0  # unknown: no part
        assert object_mask(logits, target).item() == pytest.approx(expected)
        nothing = target_of((0, 0, 2, 2), (2, 2), mask=torch.full((1, 2, 2), 255, dtype=torch.uint8))
        assert object_mask(logits, nothing).item() == 0
        assert object_mask(logits, target_of((0, 0, 2, 2), (2, 2))).item() == 0


def test_lab_as_scikit_image():
    color = pytest.importorskip("skimage.color")
    rgb = np.random.default_rng(0).random((5, 6, 3))
    ours = lab(torch.from_numpy(rgb).movedim(-1, 0)[None])[0].movedim(0, -1).numpy()
    np.testing.assert_allclose(ours, color.rgb2lab(rgb), atol=2e-3)


@pytest.mark.parametrize(("dy", "dx"), [(0, 1), (1, -1), (1, 0), (1, 1)])
def test_shifted(dy, dx):
    x = torch.arange(12.0).reshape(3, 4) + 1
    moved = shifted(x, dy, dx, 1)
    for r in range(3):
        for c in range(4):
            there = 0 <= r + dy < 3 and 0 <= c + dx < 4
            assert moved[r, c] == (x[r + dy, c + dx] if there else 0)
    assert not shifted(x, dy, dx, 9).any()


@pytest.mark.parametrize("name", BOX_LOSSES.names())
class TestContract:
    def test_finite_with_gradient_at_extremes(self, name):
        loss = BOX_LOSSES.load(name)
        target = target_of(
            (1, 1, 5, 5), (6, 6), extent=(6, 5), mask=torch.ones(1, 6, 6, dtype=torch.uint8), slack=0.1
        )
        for value in (-1e4, -30.0, 0.0, 30.0, 1e4):
            logits = torch.full((1, 6, 6), value, requires_grad=True)
            found = loss(logits, target)
            assert found.shape == () and found >= 0 and torch.isfinite(found)
            found.backward()
            assert torch.isfinite(logits.grad).all() and (logits.grad[..., 5] == 0).all()

    def test_a_mean_over_the_batch(self, name):
        loss = BOX_LOSSES.load(name)
        torch.manual_seed(0)
        logits, images = torch.randn(2, 6, 6), torch.rand(2, 3, 6, 6) * 255
        boxes = torch.tensor([[1.0, 1, 5, 5], [0, 2, 3, 6]])
        mask = (torch.rand(2, 6, 6) > 0.5).to(torch.uint8)
        extents = torch.tensor([[6, 6], [6, 6]])

        def of(which):
            return loss(
                logits[which],
                box_target(boxes[which], images[which], extents[which], (6, 6), mask=mask[which]),
            )

        alone = [of(slice(k, k + 1)) for k in (0, 1)]
        assert of(slice(0, 2)).item() == pytest.approx(float(sum(alone)) / 2, rel=1e-5)


def fitted(losses, *, size=24, steps=300):
    """Probabilities of a free map that starts as the box, after descent; the image has a bright disc."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    disc = ((x - 12).square() + (y - 12).square()) < 49
    image = torch.where(disc, 220.0, 20.0).expand(1, 3, size, size)
    target = target_of((5, 5, 19, 19), (size, size), image=image)
    logits = 2.0 * (2.0 * target.inside - 1) + 0.01 * torch.randn(1, size, size)
    logits.requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(weight * loss(logits, target) for loss, weight in losses).backward()
        optimizer.step()
    return logits.detach().sigmoid()[0], disc


class TestLimits:
    def test_projection_and_colour_find_the_disc(self):
        torch.manual_seed(0)
        p, disc = fitted([(tightness, 1.0), (pairwise, 1.0)])
        found = p > 0.5
        assert (found & disc).sum() / (found | disc).sum() > 0.9

    def test_zero_leaves_what_the_sides_need(self):
        torch.manual_seed(0)
        alone, _ = fitted([(tightness, 1.0)])
        both, _ = fitted([(tightness, 1.0), (zero, 0.05)])
        assert both.sum() < alone.sum()
        assert (both > 0.5).sum() <= 28  # 14 rows and 14 columns, at most a pixel each
