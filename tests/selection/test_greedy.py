"""The greedy selector against its definition, its options and its limits."""

import numpy as np
import pytest

from tests.selection.scenes import band, naive_greedy, scene
from wsstool.errors import UsageError
from wsstool.regions import Proposals
from wsstool.selection.selectors.best import best
from wsstool.selection.selectors.boundary_sets import Additions, BoundarySets
from wsstool.selection.selectors.candidates import candidates
from wsstool.selection.selectors.greedy import greedy


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"f1": True},
        {"coverage": 2.0},
        {"guide": "region"},
        {"guide": "box"},
        {"guide": "both"},
        {"guide": "both", "f1": True, "coverage": 0.5},
        {"radius": 2},
        {"inside": 0.6},
    ],
    ids=str,
)
def test_equals_its_definition_drawn_pixel_by_pixel(options):
    grown = 0
    for seed in range(12):
        proposals, masks, prior, _, box = scene(seed)
        expected, value = naive_greedy(masks, prior, box, **options)
        indices, score = greedy(proposals, prior, box, **options)
        assert tuple(sorted(indices.tolist())) == expected
        assert score == pytest.approx(value, abs=1e-5)
        grown += len(expected) > 1
    assert grown or options.get("guide") == "box"


def test_boundaries_of_sets_are_those_of_masks():
    rng = np.random.default_rng(0)
    for radius in (1, 2):
        pieces = np.kron(rng.integers(0, 9, (5, 6)), np.ones((4, 3), int))
        pieces[:2] = -1
        _, numbered = np.unique(pieces[pieces >= 0], return_inverse=True)
        pieces[pieces >= 0] = numbered
        weights = rng.integers(0, 4, (2, *pieces.shape))
        unions = rng.random((pieces.max() + 1, 20)) < 0.4
        sums = BoundarySets(pieces, weights.astype(np.float32), radius).sums(unions)
        for k in range(20):
            mask = np.isin(pieces, np.flatnonzero(unions[:, k]))
            assert sums[:, k].tolist() == [(one * band(mask, radius)).sum() for one in weights]


def test_additions_to_a_union_that_changes_are_those_of_whole_unions():
    rng = np.random.default_rng(1)
    pieces = np.kron(np.arange(42).reshape(6, 7), np.ones((4, 3), int))
    pieces = np.pad(pieces, 2, constant_values=-1)
    sets = BoundarySets(pieces, rng.integers(0, 4, (2, *pieces.shape)).astype(np.float32), 1)
    candidates_ = rng.random((42, 30)) < 0.1
    additions, union = Additions(sets, candidates_), np.zeros(42, bool)
    for step in range(12):
        union = union | (rng.random(42) < 0.1) if step % 4 else union & (rng.random(42) < 0.5)
        whole = sets.sums(candidates_ | union[:, None])
        assert additions.sums(union).tolist() == whole.tolist()
    assert additions.sums(np.ones(42, bool)).tolist() == [[w] * 30 for w in sets.sums(np.ones((42, 1), bool))]


def test_by_hand():
    """Two halves of a square: together their boundary is the whole contour."""
    superpixels = np.zeros((6, 8), np.uint16)
    superpixels[1:5, 2:4], superpixels[1:5, 4:6] = 1, 2
    proposals = Proposals(superpixels, np.array([(1, 1, 1), (2, 2, 1)], np.uint16))
    prior = np.zeros((6, 8), np.float32)
    prior[1:5, 2:6] = 1
    prior[2:4, 3:5] = 0
    indices, score = greedy(proposals, prior, np.array([2, 1, 6, 5]))
    assert sorted(indices.tolist()) == [0, 1]
    assert score == 1
    assert best(proposals, prior, np.array([2, 1, 6, 5]), guide="contour")[0].tolist() == [0]


def test_of_two_equal_removals_the_lower_number_goes():
    """The first two are taken first, and are both too much once the last two are there; either goes."""
    widths = {"1": 10, "2": 10, "3": 10, "4": 10, "5": 1, "6": 1, "x": 3, "l": 4, "r": 4, "p": 1, "q": 1}
    names = list(widths)
    superpixels = np.repeat(np.arange(len(names), dtype=np.uint16), list(widths.values()))[None]
    nodes, count = [], len(names)
    for held in ("12xlp", "34xrq", "135lr", "246lr"):
        node = names.index(held[0])
        for name in held[1:]:
            nodes.append([node, names.index(name), 0])
            node = count + len(nodes) - 1
        nodes[-1][2] = 1
    proposals = Proposals(superpixels, np.array(nodes, np.uint16))
    prior = np.isin(superpixels, [names.index(name) for name in "123456x"]).astype(np.float32)
    indices, score = greedy(proposals, prior, np.array([0, 0, 55, 1]), guide="region")
    assert sorted(indices.tolist()) == [1, 2, 3]
    assert score == pytest.approx(45 / 54)


def test_proposals_are_clipped_and_equal_ones_are_dropped():
    superpixels = np.repeat(np.arange(4, dtype=np.uint16), 5)[None].repeat(10, 0)
    rows = [(0, 1, 1), (1, 1, 1), (1, 2, 1), (0, 2, 1)]
    found = candidates(
        Proposals(superpixels, np.array(rows, np.uint16)), np.array([5, 0, 11, 10]), inside=0.5
    )
    # (0, 1) and (1,) are the same inside the box; of (0, 2) a tenth lies there.
    assert found.indices.tolist() == [0, 2]
    assert found.pieces.shape == (10, 8)
    assert found.areas.tolist() == [50, 10]


def test_only_so_many_are_kept():
    proposals, _, prior, _, box = scene(5)
    alone = greedy(proposals, prior, box, keep=1)
    assert len(alone[0]) == 1
    assert greedy(proposals, prior, box, keep=10**6)[1] == greedy(proposals, prior, box)[1] >= alone[1]


def test_the_contour_may_lie_only_outside_the_box():
    proposals, _, prior, _, _ = scene(5)
    prior[:] = 0
    prior[0, 0] = 1
    assert len(greedy(proposals, prior, np.array([8, 8, 28, 22]))[0]) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"guide": "x"},
        {"threshold": 0.0},
        {"threshold": float("nan")},
        {"radius": 0},
        {"inside": 1.1},
        {"inside": float("nan")},
        {"coverage": -1.0},
        {"keep": -1},
    ],
    ids=str,
)
def test_values_outside_their_range(options):
    proposals, _, prior, _, box = scene()
    with pytest.raises(UsageError, match=next(iter(options))):
        greedy(proposals, prior, box, **options)


def test_a_guide_without_its_map():
    proposals, _, _, _, box = scene()
    with pytest.raises(UsageError, match="map"):
        greedy(proposals, None, box)
    assert len(greedy(proposals, None, box, guide="box")[0])
