"""The merge tree of proposals."""

import numpy as np
import pytest

from wsstool.regions import Proposals

SUPERPIXELS = np.array([[0, 0, 1], [2, 2, 1]], np.uint16)


def _proposals(*rows):
    return Proposals(SUPERPIXELS, np.array(rows, np.uint16).reshape(-1, 3))


def test_members_follow_the_tree_in_any_order():
    # Row 0 is made of row 2, which is no proposal itself; row 1 is a superpixel alone.
    found = _proposals((5, 1, 1), (2, 2, 1), (0, 2, 0))
    assert len(found) == 2
    assert found.members().tolist() == [[True, True, True], [False, False, True]]
    assert _proposals().members().shape == (0, 3)


@pytest.mark.parametrize("rows", [[(3, 0, 1)], [(4, 0, 1), (3, 1, 1)], [(9, 0, 1)]])
def test_circles_and_missing_parts(rows):
    with pytest.raises(ValueError, match=r"part|each other"):
        _proposals(*rows).members()
