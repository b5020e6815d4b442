"""Corrupted before or after resizing; resized as torchvision does; ground truth moved along."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from wsstool.corruptions import corrupt
from wsstool.stages.robustness.conditions import CLEAN, Condition
from wsstool.stages.robustness.views import Views

ZOOM, ELASTIC = Condition("zoom-blur", 3), Condition("elastic-transform", 5)


def photograph(size: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8)).resize(size[::-1]))


@pytest.mark.parametrize("size", [(60, 101), (101, 60), (53, 53), (20, 33), (32, 32)])
@pytest.mark.parametrize("crop", [False, True])
def test_resizes_as_torchvision(size: tuple[int, int], crop: bool) -> None:
    image = photograph(size)
    steps = [
        v2.Resize(32, interpolation=v2.InterpolationMode.BICUBIC),
        *([v2.CenterCrop(32)] if crop else []),
    ]
    expected = np.asarray(v2.Compose(steps)(Image.fromarray(image)))
    views = Views(image_size=32, crop=crop)
    assert np.array_equal(views.image(image, "a.png", CLEAN), expected)
    assert views.input_sizes(np.array([size, (0, 0)])).tolist() == [list(expected.shape[:2]), [0, 0]]


def test_corrupts_before_or_after_resizing() -> None:
    image = photograph((60, 80))
    native, at_input = Views(32, True, "native", 7), Views(32, True, "input", 7)
    before = corrupt(image, *ZOOM, image_name="a.png", seed=7)
    after = corrupt(native.image(image, "a.png", CLEAN), *ZOOM, image_name="a.png", seed=7)
    assert np.array_equal(native.image(image, "a.png", ZOOM), native.image(before, "a.png", CLEAN))
    assert np.array_equal(at_input.image(image, "a.png", ZOOM), after)
    assert not np.array_equal(native.image(image, "a.png", ZOOM), after)
    assert native.corrupted_size((60, 80)) == (60, 80) and at_input.corrupted_size((60, 80)) == (32, 32)
    assert Views().image(image, "a.png", CLEAN) is image


@pytest.mark.parametrize("views", [Views(), Views(image_size=64, at="input"), Views(image_size=64)])
def test_labels_stay_on_their_objects(views: Views) -> None:
    """Of an image painted in the colours of its mask, the moved mask is the mask of the moved image."""
    rows, columns = np.mgrid[:128, :160]
    mask = ((rows // 32 + columns // 40) % 2).astype(np.uint8)
    seen = views.image(np.repeat(mask[..., None] * np.uint8(255), 3, 2), "a.png", ELASTIC)
    large = np.asarray(Image.fromarray(seen[..., 0]).resize((160, 128), Image.Resampling.BILINEAR)) > 127
    moved = views.truth(mask, "a.png", ELASTIC)
    wrong, still_wrong = (large != moved).mean(), (large != mask).mean()
    assert wrong < 0.35 * still_wrong and still_wrong > 0.02
    assert views.truth(mask, "a.png", ZOOM) is mask and views.truth(mask, "a.png", CLEAN) is mask
