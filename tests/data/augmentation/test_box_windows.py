"""Views of objects: box, image and mask stay together, and margins change."""

import numpy as np
import pytest

from wsstool.data.augmentation.box_windows import ObjectViews, margin_window, whole_view, window_view
from wsstool.errors import UsageError

BOX = np.array([12, 8, 32, 24], np.float32)


def scene():
    """A 40 x 60 picture whose box is white, and its mask."""
    image, mask = np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8)
    image[8:24, 12:32] = 255
    mask[8:24, 12:32] = 1
    return image, mask


def white_box(view):
    rows, columns = np.nonzero(view.image[..., 0] > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("window", ["box", "image"])
def test_box_mask_and_pixels_agree(window):
    draw = ObjectViews(64, window)
    image, mask = scene()
    for seed in range(20):
        view = draw(image, BOX, np.random.default_rng(seed), mask)
        assert view.image.shape == (64, 64, 3)
        np.testing.assert_allclose(white_box(view), view.box, atol=1.5)
        inside = view.image[..., 0] > 127
        known = view.mask != 255
        assert (inside[known] != (view.mask[known] == 1)).mean() < 0.03
        assert known[: view.extent[0], : view.extent[1]].all()


def test_margins_are_drawn_anew_on_every_side():
    draw = ObjectViews(100, flip=False)
    image = np.zeros((400, 400, 3), np.uint8)
    box = np.array([150, 150, 250, 250], np.float32)
    boxes = np.stack([draw(image, box, np.random.default_rng(s)).box for s in range(300)])
    inside = boxes[:, 2:] - boxes[:, :2]
    margins = np.concatenate([boxes[:, :2] / inside, (100 - boxes[:, 2:]) / inside], 1)
    assert margins.min() >= 0.05 - 1e-3 and margins.max() <= 0.6 + 1e-3
    assert (margins.std(0) > 0.1).all()  # each of the four
    assert abs(np.corrcoef(margins.T) - np.eye(4)).max() < 0.2


def test_the_same_generator_gives_the_same_view():
    image, _ = scene()
    draw = ObjectViews(32, color_jitter=0.3)
    one, two = (draw(image, BOX, np.random.default_rng(5)) for _ in range(2))
    assert (one.image == two.image).all() and (one.box == two.box).all()


def test_mirroring_keeps_padding_at_the_right():
    image, mask = scene()
    for seed in range(8):
        view = ObjectViews(60, "image")(image, BOX, np.random.default_rng(seed), mask)
        assert view.extent == (40, 60) and (view.mask[40:] == 255).all()
    tall = np.zeros((60, 40, 3), np.uint8)
    view = whole_view(tall, np.array([0, 0, 5, 5]), 30)
    assert view.extent == (30, 20) and (view.image[:, 20:] != 0).all() and (view.image[:, :20] == 0).all()


def test_windows_are_clipped():
    assert margin_window(np.array([0, 0, 10, 10]), 0.5, (12, 40)) == (0, 0, 15, 12)
    assert margin_window(np.array([3, 3, 3.4, 3.4]), 0.0, (12, 40)) == (3, 3, 4, 4)
    image = np.zeros((12, 40, 3), np.uint8)
    view = window_view(image, np.array([0, 0, 10, 10]), (0, 0, 15, 12), 30)
    np.testing.assert_allclose(view.box, [0, 0, 20, 25])


def test_an_object_that_fills_the_image():
    image = np.zeros((20, 30, 3), np.uint8)
    view = ObjectViews(16)(image, np.array([0, 0, 30, 20]), np.random.default_rng(0))
    assert view.box.tolist() == [0, 0, 16, 16]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": 4}, "--crop-size 4"),
        ({"window": "half"}, "--window half"),
        ({"margins": (0.6, 0.1)}, "margins"),
        ({"margins": (-0.1, 0.1)}, "margins"),
        ({"color_jitter": 1.0}, "jitter"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(UsageError, match=match):
        ObjectViews(**options)
