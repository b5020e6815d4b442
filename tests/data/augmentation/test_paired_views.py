"""Paired views: one geometry for student and teacher, noise for the student alone; erasing."""

from __future__ import annotations

import numpy as np
import pytest

from wsstool.data.augmentation.crops import PAPER, jittered
from wsstool.data.augmentation.erasing import RandomErasing
from wsstool.data.augmentation.paired_views import PairedViews
from wsstool.data.augmentation.rand_augment import RandAugment
from wsstool.data.augmentation.transforms import RandomResizedCrop
from wsstool.errors import UsageError
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD


def coordinates(height: int = 90, width: int = 120) -> np.ndarray:
    """An image whose red is the row and whose green is the column; blue is 0 inside."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([2 * rows, 2 * columns, np.zeros_like(rows)], -1).astype(np.uint8)


def views(**more) -> PairedViews:
    crop = RandomResizedCrop(64, (0.3, 1.0), flip_vertical=True, random_filter=True, color_jitter=0.2)
    return PairedViews(crop, RandAugment(9), RandomErasing(0.3), **more)


class TestPairs:
    def test_show_the_same_places(self, monkeypatch):
        """With the colour operations idle, both views are the same coordinates, up to the filter."""
        monkeypatch.setattr(
            "wsstool.data.augmentation.rand_augment.color", lambda name, signed: lambda image: image
        )
        crop = RandomResizedCrop(64, (0.3, 1.0), flip_vertical=True, random_filter=True)
        moved = 0
        for seed in range(80):
            student, teacher = PairedViews(crop, RandAugment(9)).pair(
                coordinates(), np.random.default_rng(seed)
            )
            inside = (student[..., 2] == 0) & (teacher[..., 2] == 0)
            inner = inside[1:-1, 1:-1] & inside[2:, 1:-1] & inside[:-2, 1:-1]
            inner &= inside[1:-1, 2:] & inside[1:-1, :-2]
            error = np.abs(student[..., :2].astype(int) - teacher[..., :2]).max(-1)[1:-1, 1:-1]
            assert inner.mean() > 0.1 and (error[inner] <= 4).mean() > 0.98  # 2 pixels of the image
            moved += not inside.all()
        assert moved > 15

    def test_noise_is_for_the_student(self):
        image = np.full((90, 120, 3), 77, np.uint8)
        noisy = 0
        for seed in range(40):
            student, teacher = views().pair(image, np.random.default_rng(seed))
            inside = np.abs(teacher.astype(int) - 77).max(-1) == 0
            outside = np.sign(np.array(PAPER) - 77)
            assert ((teacher[~inside].astype(int) - 77) * outside >= -2).all()  # between image and filling
            noisy += bool((student[inside] != 77).any())
        assert noisy > 35

    def test_full_augmentation_is_the_student_s_own_view(self):
        image = coordinates()
        for seed in range(10):
            student, teacher = views(teacher="full").pair(image, np.random.default_rng(seed))
            np.testing.assert_array_equal(student, teacher)
            np.testing.assert_array_equal(student, views()(image, np.random.default_rng(seed)))

    def test_plain_crops_are_pairs_without_noise(self):
        image = coordinates()
        crop = RandomResizedCrop(48, color_jitter=0.2)
        student, teacher = crop.pair(image, np.random.default_rng(5))
        np.testing.assert_array_equal(student, crop(image, np.random.default_rng(5)))
        np.testing.assert_array_equal(
            teacher, RandomResizedCrop(48, color_jitter=0.0)(image, np.random.default_rng(5))
        )
        factors = 1 + 0.2 * (2 * np.random.default_rng(5).random(9)[6:] - 1)
        np.testing.assert_array_equal(student, jittered(teacher, *factors.tolist()))

    def test_the_filter_is_drawn(self):
        image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        crop, bilinear = RandomResizedCrop(48, random_filter=True), RandomResizedCrop(48)
        same = [
            np.array_equal(*(one(image, np.random.default_rng(seed)) for one in (crop, bilinear)))
            for seed in range(60)
        ]
        assert 15 < sum(same) < 45


class TestErasing:
    def test_takes_its_share_of_images_and_pixels(self):
        image = np.full((60, 80, 3), 7, np.uint8)
        shares = [
            (RandomErasing(0.3)(image, np.random.default_rng(s)) != 7).any(-1).mean() for s in range(600)
        ]
        erased = [share for share in shares if share]
        assert len(erased) == pytest.approx(180, abs=40)
        assert min(erased) >= 0.015 and max(erased) <= 0.35
        assert np.mean(erased) == pytest.approx((0.02 + 1 / 3) / 2, abs=0.03)

    def test_makes_one_rectangle_of_normal_noise(self):
        image = np.full((300, 300, 3), 255, np.uint8)
        found = RandomErasing(1.0)(image, np.random.default_rng(3))
        rows, columns = np.nonzero((found != 255).any(-1))
        part = found[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(float)
        assert (image == 255).all() and part.shape[0] * part.shape[1] > 1000
        assert np.abs(part.mean((0, 1)) / 255 - IMAGENET_MEAN).max() < 0.02
        assert np.abs(part.std((0, 1)) / 255 - IMAGENET_STD).max() < 0.02
        outside = found.copy()
        outside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 255
        assert (outside == 255).all()

    def test_never_and_tiny_images(self):
        image = np.zeros((2, 2, 3), np.uint8)
        assert RandomErasing(0.0)(image, np.random.default_rng(0)) is image
        assert RandomErasing(1.0)(image[:1, :1], np.random.default_rng(0)).shape == (1, 1, 3)

    @pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
    def test_probability_has_a_range(self, probability):
        with pytest.raises(UsageError, match="probability"):
            RandomErasing(probability)
