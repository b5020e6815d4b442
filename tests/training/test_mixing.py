"""Mixup and CutMix: what is mixed with what, and by how much; batches that cannot be mixed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wsstool.errors import UsageError
from wsstool.training.epoch_loader import EpochLoader
from wsstool.training.mixing import Mixing, check_even


def batch(n: int = 4, side: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of one grey value each, and one-hot targets."""
    greys = torch.arange(n) * 60 + 10
    images = greys[:, None, None, None].expand(n, 3, side, side + 4).contiguous().byte()
    return images, torch.eye(n)


def is_cut(images: torch.Tensor) -> bool:
    """Whether no value is new."""
    return set(images.unique().tolist()) <= set(batch()[0].unique().tolist())


class TestMixup:
    def test_mixes_with_the_reversed_batch_by_the_share_of_the_targets(self):
        images, targets = batch()
        seen = []
        for step in range(30):
            mixed, soft = Mixing(mixup=0.8, seed=3)(images, targets, step)
            lam = soft[0, 0]
            torch.testing.assert_close(soft, lam * torch.eye(4) + (1 - lam) * torch.eye(4).flip(0))
            wanted = (lam * images.float() + (1 - lam) * images.flip(0).float()).round().byte()
            assert mixed.dtype == torch.uint8 and torch.equal(mixed, wanted)
            seen.append(lam.item())
        assert len(set(seen)) == 30 and min(seen) < 0.2 and max(seen) > 0.8

    def test_share_is_beta_distributed(self):
        images, targets = batch(2, 1)
        found = [Mixing(mixup=0.8)(images, targets, step)[1][0, 0].item() for step in range(2000)]
        assert np.mean(found) == pytest.approx(0.5, abs=0.03)
        assert np.var(found) == pytest.approx(1 / (4 * (2 * 0.8 + 1)), abs=0.01)


class TestCutMix:
    def test_pastes_a_rectangle_of_the_partner_and_counts_its_area(self):
        images, targets = batch()
        clipped = 0
        for step in range(60):
            mixed, soft = Mixing(cutmix=1.0)(images, targets, step)
            pasted = mixed[0, 0] == images[3, 0, 0, 0]
            assert (pasted | (mixed[0, 0] == images[0, 0, 0, 0])).all()
            rows, columns = pasted.any(1).nonzero().flatten(), pasted.any(0).nonzero().flatten()
            assert pasted.sum() == len(rows) * len(columns)
            if len(rows):
                assert rows[-1] - rows[0] + 1 == len(rows) and columns[-1] - columns[0] + 1 == len(columns)
                clipped += bool(rows[0] == 0 or rows[-1] == 19)
            share = pasted.float().mean().item()
            assert soft[0].tolist() == pytest.approx([1 - share, 0, 0, share])
            assert all(torch.equal((mixed[k, 0] == images[3 - k, 0, 0, 0]), pasted) for k in range(4))
        assert clipped > 10

    def test_leaves_the_batch_alone(self):
        images, targets = batch()
        before = images.clone()
        Mixing(cutmix=1.0)(images, targets, 1)
        assert torch.equal(images, before)


def test_both_take_turns():
    images, targets = batch()
    cuts = [is_cut(Mixing(0.8, 1.0)(images, targets, step)[0]) for step in range(300)]
    assert 120 < sum(cuts) < 180


def test_draws_depend_on_seed_and_step_alone():
    images, targets = batch()
    one, two, other_step, other_seed = (
        Mixing(0.8, 1.0, seed)(images, targets, step)[1] for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5))
    )
    assert torch.equal(one, two) and not torch.equal(one, other_step) and not torch.equal(one, other_seed)


class TestOddBatches:
    def test_are_refused(self):
        with pytest.raises(
            UsageError, match=r"need an even number of images per batch, and one would have 3$"
        ):
            Mixing(mixup=0.8)(*batch(3), 0)

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 8])
    @pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 11])
    @pytest.mark.parametrize("drop_last", [True, False])
    def test_are_foreseen_exactly(self, n, size, drop_last):
        class Numbers(torch.utils.data.Dataset):
            def __len__(self):
                return n

            def __getitem__(self, key):
                return key[1]

        sizes = [len(one) for one in EpochLoader(Numbers(), size, drop_last=drop_last).batches(0)]
        if any(one % 2 for one in sizes):
            with pytest.raises(UsageError, match="even number"):
                check_even(n, size, drop_last=drop_last)
        else:
            check_even(n, size, drop_last=drop_last)

    def test_say_what_to_do(self):
        with pytest.raises(UsageError, match="would have 3, the last of each epoch; add --drop-last"):
            check_even(11, 4, drop_last=False)
        with pytest.raises(UsageError, match="would have 5; choose an even --batch-size, at most the number"):
            check_even(5, 1024, drop_last=True)
