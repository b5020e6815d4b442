"""Whether a map shows a region or an outline, on both sides of every limit."""

import numpy as np
import pytest

from wsstool.selection.map_kind import map_kind


def disc(radius: int) -> np.ndarray:
    return (np.hypot(*np.mgrid[-40:41, -40:41]) < radius).astype(np.float32)


def ring(width: int) -> np.ndarray:
    return DISC - disc(30 - width)


def square(side: int) -> np.ndarray:
    return np.pad(np.ones((side, side), np.float32), 4)


DISC = disc(30)


@pytest.mark.parametrize(
    ("prior", "kind"),
    [
        (DISC, "region"),
        (ring(3), "contour"),
        (ring(14), "contour"),  # 21 % of it lie further from its border than a tenth of its side
        (ring(15), "region"),  # 26 %
        (square(12), "region"),
        (square(11), ""),
        (np.zeros((30, 30)), ""),
        (np.full((30, 30), np.nan), ""),
        (np.zeros((0, 5)), ""),
    ],
    ids=["disc", "ring", "wide ring", "wider ring", "12 pixels", "11 pixels", "zeros", "NaN", "nothing"],
)
def test_kinds(prior, kind):
    assert map_kind(prior) == kind


def test_a_thin_ring_inside_a_faint_region_is_a_contour():
    """Only pixels of at least half the maximum count."""
    assert map_kind(np.maximum(0.49 * DISC, ring(3))) == "contour"
    assert map_kind(np.maximum(0.5 * DISC, ring(3))) == "region"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_the_scale_of_a_map_does_not_matter(scale):
    assert [map_kind(scale * one) for one in (DISC, ring(3))] == ["region", "contour"]


def test_the_edge_of_the_map_is_a_border_and_nan_counts_as_0():
    assert map_kind(np.ones((40, 40))) == "region"
    frame = np.ones((40, 40))
    frame[5:-5, 5:-5] = np.nan
    assert map_kind(frame) == "contour"
