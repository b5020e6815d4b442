"""No value of an option of a refiner makes it run for hours or take all memory."""

import numpy as np
import pytest

from wsstool.errors import UsageError
from wsstool.registry import REFINERS

IMAGE = np.zeros((6, 8, 3), np.uint8)
SCORES = np.full((2, 6, 8), 0.5, np.float32)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("crf", {"steps": 10**9}),
        ("crf", {"bilateral_weight": 1e300}),
        ("crf", {"gaussian_weight": 1e300}),
        ("pamr", {"steps": 10**9}),
        ("pamr", {"dilations": (1, 10**6)}),
        ("affinity", {"walk_steps": 10**9}),
        ("affinity", {"grid_side": 10**5}),
    ],
)
def test_refiners(name, settings):
    features = (np.ones((4, 3, 4), np.float32),) if name == "affinity" else ()
    with pytest.raises(UsageError, match=f"{name} needs "):
        REFINERS.load(name)(SCORES, IMAGE, *features, **settings)
