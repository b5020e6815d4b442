"""Random crops: image and labels move together, nothing outside is labelled, the generator decides."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from wsstool.data.augmentation.crops import PAPER, RandomCrop, jittered
from wsstool.errors import UsageError


def picture(height: int = 40, width: int = 56) -> tuple[np.ndarray, np.ndarray]:
    """An image that shows its own labels: blocks of 8 pixels, the red value is 40 x label."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 6, (-(-height // 8), -(-width // 8))), np.ones((8, 8), int))[
        :height, :width
    ]
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = labels * 40
    return image, np.stack([labels, 5 - labels]).astype(np.uint8)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("size", [24, 64])
def test_image_and_labels_move_together(seed: int, size: int) -> None:
    view, maps = RandomCrop(size, (0.5, 2.0))(*picture(), np.random.default_rng(seed))
    assert view.shape == (size, size, 3) and maps.shape == (2, size, size)
    inside = maps[0] != 255
    assert inside.any()
    assert (view[~inside] == PAPER).all()
    assert (maps[1][inside] == 5 - maps[0][inside]).all()
    even = np.zeros_like(inside)  # away from block borders, where bilinear values mix
    even[1:-1, 1:-1] = inside[1:-1, 1:-1]
    for dy in (-2, -1, 0, 1, 2):
        for dx in (-2, -1, 0, 1, 2):
            even &= np.roll(maps[0], (dy, dx), (0, 1)) == maps[0]
    assert (view[..., 0][even] == maps[0][even] * 40).all()


def test_scale_one_is_a_plain_crop() -> None:
    image, labels = picture()
    view, maps = RandomCrop(16, (1.0, 1.0), flip=False)(image, labels, np.random.default_rng(3))
    places = [
        (y, x)
        for y in range(40 - 15)
        for x in range(56 - 15)
        if (labels[:, y : y + 16, x : x + 16] == maps).all() and (image[y : y + 16, x : x + 16] == view).all()
    ]
    assert places


def test_a_small_image_is_seen_whole() -> None:
    image, labels = picture(9, 11)
    view, maps = RandomCrop(32, (1.0, 1.0), flip=False)(image, labels, np.random.default_rng(1))
    assert (maps[0] != 255).sum() == 99
    assert sorted(maps[0][maps[0] != 255]) == sorted(labels[0].ravel())
    assert view.shape == (32, 32, 3)


def test_equal_generators_give_equal_views() -> None:
    crop = RandomCrop(20, color_jitter=0.4)
    a, b, c = (crop(*picture(), np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert (a[0] == b[0]).all() and (a[1] == b[1]).all()
    assert (a[0] != c[0]).any()


def test_jitter_by_hand() -> None:
    image = np.array([[[100, 50, 200], [10, 20, 30]]], np.uint8)
    assert (jittered(image, 1, 1, 1) == image).all()
    assert (jittered(image, 2, 1, 1) == np.clip(image.astype(int) * 2, 0, 255)).all()
    grey = jittered(image, 1, 1, 0)
    assert (grey == grey[..., :1]).all()
    assert np.ptp(jittered(image, 1, 0, 0)) == 0


@pytest.mark.parametrize(
    "own",
    [
        {"size": -1},
        {"scale_range": (2.0, 1.0)},
        {"scale_range": (0.0, 1.0)},
        {"color_jitter": 1.0},
        {"blur": -1.0},
    ],
)
def test_numbers_outside_their_range(own: dict) -> None:
    with pytest.raises(UsageError):
        RandomCrop(**{"size": 8, **own})


def test_half_of_the_views_are_blurred_by_up_to_the_radius() -> None:
    """Each blurred view is Pillow's blur of some radius below the largest; nothing else changes."""
    image, labels = picture(16, 16)
    plain = RandomCrop(16, (1.0, 1.0))
    blurring = RandomCrop(16, (1.0, 1.0), blur=1.0)
    blurred = 0
    for seed in range(60):
        before, same = plain(image, labels, np.random.default_rng(seed))
        after, maps = blurring(image, labels, np.random.default_rng(seed))
        assert (maps == same).all()
        draws = np.random.default_rng(seed).random(9)
        radius = float(draws[8]) if draws[7] < 0.5 else 0.0
        expected = Image.fromarray(before).filter(ImageFilter.GaussianBlur(radius))
        assert (after == np.asarray(expected)).all()
        blurred += bool((after != before).any())
    assert 15 < blurred < 45


def test_a_whole_patch_is_only_mirrored() -> None:
    image, labels = picture(24, 24)
    seen = set()
    for seed in range(20):
        view, maps = RandomCrop(24, (1.0, 1.0))(image, labels, np.random.default_rng(seed))
        is_mirrored = bool((view == image[:, ::-1]).all())
        assert is_mirrored or (view == image).all()
        assert (maps == (labels[:, :, ::-1] if is_mirrored else labels)).all()
        seen.add(is_mirrored)
    assert seen == {False, True}


def test_size_0_is_the_whole_image() -> None:
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    labels = np.arange(35, dtype=np.uint8).reshape(1, 5, 7)
    view, maps = RandomCrop(0, (1.0, 1.0), flip=False)(image, labels, np.random.default_rng(0))
    assert np.array_equal(view, image) and np.array_equal(maps, labels)
    assert RandomCrop(0, (2.0, 2.0))(image, labels, np.random.default_rng(0))[0].shape == (10, 14, 3)
