"""Small-loss selection: exact counts, pools, the schedule, and that it finds wrong labels."""

import pytest
import torch

from wsstool.errors import UsageError
from wsstool.registries.losses import PIXEL_LOSSES
from wsstool.training.cotraining.small_loss import POOLS, keep_share, kept_count, small_loss_pixels
from wsstool.training.losses.segmentation import (
    layered_losses,
    layered_mean,
    mean_over,
    pixel_losses,
)


def case(
    seed: int = 0, shape: tuple[int, int, int] = (3, 6, 7)
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    losses = torch.rand(shape, generator=generator)
    labels = torch.randint(0, 3, shape, generator=generator)
    valid = torch.rand(shape, generator=generator) > 0.2
    return losses, labels, valid


@pytest.mark.parametrize(
    ("step", "share"), [(-5, 1.0), (0, 1.0), (25, 0.95), (50, 0.9), (100, 0.8), (1000, 0.8)]
)
def test_keep_share_by_hand(step: int, share: float) -> None:
    assert keep_share(step, noise_rate=0.2, ramp_steps=100) == pytest.approx(share)


def test_keep_share_without_ramp_or_noise() -> None:
    assert keep_share(0, noise_rate=0.3, ramp_steps=0) == pytest.approx(0.7)
    assert keep_share(10**9, noise_rate=0.0, ramp_steps=5) == 1.0


@pytest.mark.parametrize(
    ("n", "share", "count"), [(10, 0.9, 9), (10, 0.85, 9), (3, 0.1, 1), (0, 0.5, 0), (1, 0.01, 1)]
)
def test_kept_count(n: int, share: float, count: int) -> None:
    assert kept_count(n, share) == count


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.999])
def test_kept_count_is_exact_when_every_loss_is_equal(share: float) -> None:
    losses = torch.zeros(2, 9, 11)
    valid = torch.ones_like(losses, dtype=torch.bool)
    kept = small_loss_pixels(losses, torch.zeros(2, 9, 11), valid, share)
    assert int(kept.sum()) == kept_count(2 * 9 * 11, share)


@pytest.mark.parametrize("pool", POOLS)
def test_each_pool_keeps_its_smallest(pool: str) -> None:
    losses, labels, valid = case()
    kept = small_loss_pixels(losses, labels, valid, 0.7, pool=pool)
    assert not (kept & ~valid).any()
    groups = {
        "batch": torch.zeros_like(labels),
        "image": torch.arange(3)[:, None, None].expand_as(labels),
        "class": labels,
    }[pool]
    for group in groups.unique():
        members = (groups == group) & valid
        assert int((kept & members).sum()) == kept_count(int(members.sum()), 0.7)
        assert losses[kept & members].max() < losses[members & ~kept].min()


@pytest.mark.parametrize("pool", POOLS)
def test_ignored_pixels_take_no_part_in_the_ranking(pool: str) -> None:
    losses, labels, valid = case()
    louder, quieter = losses.clone(), losses.clone()
    louder[~valid], quieter[~valid] = 1e6, -1.0
    want = small_loss_pixels(losses, labels, valid, 0.6, pool=pool)
    assert torch.equal(small_loss_pixels(louder, labels, valid, 0.6, pool=pool), want)
    assert torch.equal(small_loss_pixels(quieter, labels, valid, 0.6, pool=pool), want)


def test_limits_and_errors() -> None:
    losses, labels, valid = case()
    assert torch.equal(small_loss_pixels(losses, labels, valid, 1.0), valid)
    nothing = torch.zeros_like(valid)
    assert not small_loss_pixels(losses, labels, nothing, 0.5).any()
    with pytest.raises(UsageError, match="pool"):
        small_loss_pixels(losses, labels, valid, 0.5, pool="region")


def test_an_unlucky_image_can_vanish_from_the_batch_pool_only() -> None:
    losses = torch.stack([torch.full((4, 4), 0.1), torch.full((4, 4), 5.0)])
    valid = torch.ones(2, 4, 4, dtype=torch.bool)
    batch = small_loss_pixels(losses, valid.long(), valid, 0.5, pool="batch")
    image = small_loss_pixels(losses, valid.long(), valid, 0.5, pool="image")
    assert batch.sum(dim=(1, 2)).tolist() == [16, 0]
    assert image.sum(dim=(1, 2)).tolist() == [8, 8]


@pytest.mark.parametrize("kind", PIXEL_LOSSES.names())
def test_pixel_losses_by_hand(kind: str) -> None:
    logits = torch.tensor([0.3, -1.2, 2.0])[None, :, None, None].expand(1, 3, 1, 3)
    labels = torch.tensor([[[0, 2, 255]]])
    p = logits.softmax(dim=1)[0, :, 0, 0][[0, 2]]
    want = {
        "cross-entropy": -p.log(),
        "generalised": (1 - p**0.7) / 0.7,
        "symmetric": -p.log() + 4 * (1 - p),
    }[kind]
    losses = pixel_losses(logits, labels, kind=kind)
    torch.testing.assert_close(losses[0, 0, :2], want)
    assert losses[0, 0, 2] == 0


def test_generalised_loss_has_its_two_limits() -> None:
    logits = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 4, (1, 3, 3), generator=torch.Generator().manual_seed(1))
    p = logits.softmax(dim=1).gather(1, labels[:, None])[:, 0]
    torch.testing.assert_close(pixel_losses(logits, labels, kind="generalised", q=1.0), 1 - p)
    near = pixel_losses(logits, labels, kind="generalised", q=1e-4)
    torch.testing.assert_close(near, pixel_losses(logits, labels), rtol=1e-3, atol=1e-3)


def test_mean_over_nothing_is_zero_with_a_zero_gradient() -> None:
    losses = torch.tensor([1.0, float("inf")], requires_grad=True)
    mean = mean_over(losses, torch.tensor([False, False]))
    mean.backward()
    assert mean.item() == 0.0
    assert losses.grad is not None and losses.grad.tolist() == [0.0, 0.0]


def test_layers_are_weighted_means_of_their_own_pixels() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 3, (2, 2, 4, 4), generator=torch.Generator().manual_seed(1))
    labels[0, 1, :2] = 255
    losses = layered_losses(logits, labels)
    want = 0.6 * torch.nn.functional.cross_entropy(logits, labels[:, 0])
    want = want + 0.4 * torch.nn.functional.cross_entropy(logits, labels[:, 1], ignore_index=255)
    torch.testing.assert_close(layered_mean(losses, labels != 255, (0.6, 0.4)), want)
