"""The parts of the water drops beside OpenCV's."""

import numpy as np
import pytest
from scipy import ndimage

from wsstool.corruptions.edges import FAR, canny, distance_to, equalised

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")


def cloud(sigma: float, size=(97, 131)) -> np.ndarray:
    values = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, size), sigma)
    return np.clip(128 + 60 * values / values.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.3, 1, 2, 4, 8])
def test_canny_equals(sigma):
    image = cloud(sigma)
    expected = cv2.Canny(image, 50, 150) > 0
    assert sigma == 8 or expected.any()
    np.testing.assert_array_equal(canny(image, 50, 150), expected)


@pytest.mark.parametrize("share", [0.3, 0.01, 0.0005])
def test_distance_equals(share):
    edges = np.random.default_rng(1).random((97, 131)) < share
    assert edges.any()
    expected = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5)
    np.testing.assert_allclose(distance_to(edges), np.minimum(expected, FAR), atol=1e-4)


def test_without_an_edge_all_is_far():
    assert (distance_to(np.zeros((3, 50), bool)) == FAR).all()


@pytest.mark.parametrize(
    "image", [cloud(2), cloud(1) // 16, np.full((9, 9), 7, np.uint8)], ids=["a", "b", "flat"]
)
def test_equalisation_equals(image):
    np.testing.assert_array_equal(equalised(image), cv2.equalizeHist(image))
