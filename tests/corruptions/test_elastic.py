"""The displacement, and masks that are warped along with their image."""

import numpy as np
import pytest
from scipy import ndimage

from tests.corruptions.pictures import cat
from wsstool.corruptions import MOVES_OBJECTS, corrupt, generator_of
from wsstool.corruptions.elastic import displacement, warp, warp_mask
from wsstool.errors import BadInputError
from wsstool.registry import CORRUPTIONS


def field(severity=5, image_name="a"):
    return displacement(cat(), severity, generator_of("elastic-transform", severity, image_name))


def test_an_equal_generator_gives_the_field_of_the_image():
    found = corrupt(cat(), "elastic-transform", 5, image_name="a")
    np.testing.assert_array_equal(found, np.clip(warp(cat(), field()), 0, 255).astype(np.uint8))


def test_objects_and_masks_move_together():
    """A square, brighter than its ground, stays under its mask once both are warped, and not else."""
    mask = np.zeros((224, 224), np.uint8)
    mask[60:160, 60:160] = 1
    image = np.repeat(mask[..., None] * np.uint8(200), 3, 2)
    bright = corrupt(image, "elastic-transform", 5, image_name="a")[..., 0] > 100
    moved = warp_mask(mask, field())
    assert (bright != moved).mean() < 0.002 < (bright != mask).mean() / 2
    assert moved.dtype == mask.dtype and set(np.unique(moved)) == {0, 1}


def test_warping_equals_scipy():
    rows, columns = field() + np.indices((224, 224))
    expected = ndimage.map_coordinates(
        cat()[..., 1].astype(np.float32), [rows, columns], order=1, mode="reflect"
    )
    np.testing.assert_allclose(warp(cat(), field())[..., 1], expected, atol=0.01)


@pytest.mark.parametrize("shift", [-25, -7, 0, 3, 12])
def test_the_border_is_mirrored(shift):
    line = np.arange(10, dtype=np.uint8)[None]
    moved = np.zeros((2, 1, 10), np.float32)
    moved[1] = shift
    expected = np.pad(line, ((0, 0), (30, 30)), "symmetric")[:, 30 + shift : 40 + shift]
    np.testing.assert_array_equal(warp_mask(line, moved), expected)
    np.testing.assert_array_equal(warp(line[..., None], moved)[..., 0], expected)


def test_it_moves_by_a_few_pixels_and_more_with_severity():
    moved = [float(np.hypot(*field(severity)).mean()) for severity in range(1, 6)]
    assert moved == sorted(moved) and moved[0] > 1 and moved[4] < 8


def test_a_field_of_another_size_is_refused():
    for function in (warp, warp_mask):
        with pytest.raises(BadInputError, match="does not fit"):
            function(np.zeros((3, 4, 1)), np.zeros((2, 4, 3)))


def test_no_other_corruption_moves_objects():
    """The centre of a large square stays within 2 pixels, so masks fit within the blur of an edge."""
    image = np.zeros((224, 224, 3), np.uint8)
    image[72:152, 72:152] = 250
    for name in {*CORRUPTIONS} - {*MOVES_OBJECTS, "frost", "frost-synthetic", "snow", "fog", "motion-blur"}:
        found = corrupt(image, name, 1, image_name="a").astype(float).mean(2)
        centre = ndimage.center_of_mass(found - np.median(found[:30]))
        assert np.allclose(centre, 111.5, atol=2), name
