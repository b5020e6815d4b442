"""One loss at several scales: the sum, its weights, targets of each size, box losses."""

import pytest
import torch
import torch.nn.functional as F

from wsstool.errors import UsageError
from wsstool.training.losses.box_targets import box_target
from wsstool.training.losses.scales import at_scales
from wsstool.training.losses.tightness import tightness
from wsstool.training.losses.zero import zero

SIZES = [(2, 3), (2, 3), (4, 6), (8, 12)]


@pytest.fixture
def logits() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 1, *size, generator=generator) for size in SIZES]


@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 2.0, 0.0]])
def test_mask_loss(logits, weights):
    mask = (torch.rand(2, 8, 12, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    asked = []

    def target_at(size):
        asked.append(size)
        return F.adaptive_avg_pool2d(mask, size)

    found = at_scales(logits, F.binary_cross_entropy_with_logits, target_at, weights)
    wanted = 0.0
    for k, size in enumerate(SIZES):
        t, p = F.adaptive_avg_pool2d(mask, size), logits[k][:, 0].sigmoid()
        entropy = -(t * p.log() + (1 - t) * (1 - p).log())
        wanted += (weights or [1.0] * 4)[k] * entropy.mean().item()
    assert found.item() == pytest.approx(wanted, rel=1e-5)
    assert asked == SIZES[1:]  # once per size


def test_box_losses(logits):
    boxes, crops = torch.tensor([[8.0, 0, 40, 24], [0, 16, 48, 32]]), torch.zeros(2, 3, 32, 48)
    extents = torch.tensor([[32, 48], [32, 48]])

    def target_at(size):
        return box_target(boxes, crops, extents, size)

    found = at_scales(logits, lambda z, target: tightness(z, target) + 0.05 * zero(z, target), target_at)
    each = [(one[:, 0], target_at(tuple(one.shape[2:]))) for one in logits]
    wanted = sum(tightness(*pair) for pair in each) + 0.05 * sum(zero(*pair) for pair in each)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_number_of_weights(logits):
    with pytest.raises(UsageError, match="3 weights for the losses of 4 scales"):
        at_scales(logits, F.binary_cross_entropy_with_logits, torch.zeros, [1.0] * 3)
