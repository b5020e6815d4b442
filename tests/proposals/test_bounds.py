"""No value of an option of a proposal method makes it run for hours or take all memory."""

import numpy as np
import pytest

from wsstool.errors import UsageError
from wsstool.registry import PROPOSALS

IMAGE = np.zeros((6, 8, 3), np.uint8)


@pytest.mark.parametrize("name", ["tree", "selective-search", "felzenszwalb"])
@pytest.mark.parametrize("settings", [{"sigma": 1e9}, {"sigma": 1e300}, {"min_size": 10**19}])
def test_smoothing_and_smallest_region(name, settings):
    with pytest.raises(UsageError, match=r"sigma in \[0, 100\], min-size in \[1, 2\^31\)"):
        PROPOSALS.load(name)(IMAGE, **settings)


@pytest.mark.parametrize("settings", [{"compactness": 1e-300}, {"segments": (10**19,)}])
def test_slic(settings):
    with pytest.raises(UsageError, match="slic: give"):
        PROPOSALS.load("slic")(IMAGE, **settings)


@pytest.mark.parametrize("settings", [{"objects": 10**9}, {"grid_side": 10**5}])
def test_ncut(settings):
    with pytest.raises(UsageError, match="ncut needs"):
        PROPOSALS.load("ncut")(IMAGE, np.ones((4, 3, 4), np.float32), **settings)
