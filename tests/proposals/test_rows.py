"""Regions as rows of a record: no region twice, parts kept, limits, sets, other programs' masks."""

import numpy as np
import pytest

from wsstool.proposals.contacts import contacts
from wsstool.proposals.limit import limited
from wsstool.proposals.masks import from_masks, from_sets
from wsstool.proposals.rank import outline_score
from wsstool.proposals.superpixels import enlarged, renumbered, snapped
from wsstool.proposals.trees import regions
from wsstool.regions import Proposals, proposal_areas, proposal_boxes, superpixel_boxes

STRIPES = np.repeat(np.arange(4), 2)[None].repeat(3, 0)  # 3 x 8, four stripes of 6 pixels


def sets(found: Proposals) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in found.members()]


class TestRegions:
    def test_a_region_of_two_trees_is_there_once(self):
        every = np.arange(4)
        one, other = np.array([[0, 1], [2, 3], [4, 5]]), np.array([[1, 2], [0, 4], [3, 5]])
        found = regions(STRIPES, [(every, one), (every, other)])
        assert len(found) == 4 + 3 + 2
        ranked = found.ranked(np.arange(9.0), (3, 8))
        assert sets(ranked)[:3] == [[0, 1, 2], [1, 2], [0, 1, 2, 3]]
        assert ranked.nodes[:, 2].all()

    def test_a_coarse_partition_proposes_its_regions_and_not_their_parts(self):
        found = regions(STRIPES, [(np.array([0, 0, 0, 1]), np.zeros((0, 2), int))])
        ranked = found.ranked(np.zeros(len(found)), (3, 8))
        assert sorted(sets(ranked)) == [[0, 1, 2], [3]]
        assert (ranked.nodes[:, 2] == 0).sum() == 1

    def test_ties_keep_their_order_and_maps_are_enlarged(self):
        found = regions(STRIPES, [(np.arange(4), np.array([[0, 1]]))])
        ranked = found.ranked(np.zeros(5), (6, 16))
        assert sets(ranked) == [[0], [1], [2], [3], [0, 1]]
        assert ranked.superpixels.shape == (6, 16) and (np.bincount(ranked.superpixels.flat) == 24).all()


class TestLimit:
    tree = Proposals(
        STRIPES.astype(np.uint16),
        np.array([[5, 6, 1], [0, 1, 1], [2, 3, 1], [3, 3, 1], [0, 0, 1]], np.uint16),
    )

    def test_keeps_what_fits_with_its_parts(self):
        kept, left = limited(self.tree, 3)
        assert sets(kept) == [[0, 1, 2, 3], [0, 1], [2, 3]] and left == 2
        kept, left = limited(self.tree, 2)
        assert sets(kept) == [[0, 1], [2, 3]] and left == 3, "the first needs three rows and is passed over"
        kept, left = limited(self.tree, 0)
        assert len(kept.nodes) == 0 and left == 5

    def test_areas_leave_parts_that_others_need(self):
        kept, left = limited(self.tree, 9, min_area=13)
        assert sets(kept) == [[0, 1, 2, 3]] and left == 0
        assert kept.nodes[:, 2].tolist() == [1, 0, 0]
        assert sets(limited(self.tree, 9, max_area=0.25)[0]) == [[3], [0]]
        assert sets(limited(self.tree, 9, min_area=6, max_area=0.5)[0]) == [[0, 1], [2, 3], [3], [0]]

    def test_superpixels_and_rows_share_the_numbers(self):
        labels = np.arange(65530).reshape(10, 6553)
        rows = np.column_stack([np.arange(9), np.arange(9), np.ones(9, int)])
        kept, left = limited(Proposals(labels.astype(np.uint16), rows), 9)
        assert len(kept.nodes) == 4 and left == 5


class TestSets:
    def test_are_exact_and_share_rows(self):
        members = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, 0], [0, 0, 0, 0]], bool)
        found, left = from_sets(STRIPES, members)
        assert sets(found) == [[0, 1, 2, 3], [0, 1, 2], [3]] and left == 0
        assert len(found.nodes) == 4, "two rows for three stripes, one for all, one for the last"

    @pytest.mark.parametrize("seed", range(3))
    def test_random_masks_come_back_exactly(self, seed):
        r = np.random.default_rng(seed)
        rows, columns = np.indices((30, 40))
        masks = [
            (rows - r.integers(30)) ** 2 + (columns - r.integers(40)) ** 2 < r.integers(4, 300)
            for _ in range(25)
        ]
        found, left = from_masks((30, 40), [*masks, np.zeros((30, 40), bool)])
        unique = list({mask.tobytes(): mask for mask in masks}.values())
        assert left == 0 and len(found) == len(unique)
        for row, mask in zip(found.members(), unique, strict=True):
            np.testing.assert_array_equal(row[found.superpixels], mask)
        np.testing.assert_array_equal(proposal_areas(found), [mask.sum() for mask in unique])
        for box, mask in zip(proposal_boxes(found), unique, strict=True):
            y, x = np.nonzero(mask)
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]

    def test_no_mask_is_one_superpixel_without_rows(self):
        found, left = from_masks((2, 3), [])
        assert found.n_superpixels == 1 and found.nodes.shape == (0, 3) and left == 0

    def test_the_worst_go_when_numbers_run_out(self):
        r = np.random.default_rng(0)
        masks = [r.random((300, 300)) < 0.5 for _ in range(17)]
        found, left = from_masks((300, 300), masks)
        assert 0 < len(found) < 17 and len(found) + left == 17
        assert found.n_superpixels + len(found.nodes) <= 65534
        np.testing.assert_array_equal(found.members()[0][found.superpixels], masks[0])


class TestSuperpixels:
    def test_renumbered_and_enlarged_lose_nothing(self):
        labels = renumbered(np.array([[7, 7, 3], [9, 3, 3]]))
        assert labels.tolist() == [[1, 1, 0], [2, 0, 0]]
        for size in ((2, 3), (3, 4), (7, 11)):
            assert np.unique(enlarged(labels, size)).tolist() == [0, 1, 2]

    def test_snapped_follows_the_larger_part(self):
        fine = np.array([[0, 0, 0, 1, 1, 1]])
        assert snapped(np.array([[0, 0, 1, 1, 2, 2]]), fine).tolist() == [0, 1]
        assert snapped(np.array([[1, 0, 0, 0, 0, 0]]), fine).tolist() == [0, 0]

    def test_boxes_of_superpixels(self):
        r = np.random.default_rng(3)
        labels = renumbered(r.integers(0, 9, (11, 13)))
        for s, box in enumerate(superpixel_boxes(labels).tolist()):
            y, x = np.nonzero(labels == s)
            assert box == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_a_strong_outline_goes_first_and_the_whole_image_last():
    labels = np.zeros((20, 20), int)
    labels[5:12, 5:12], labels[14:18, 2:18] = 1, 2
    colours = np.zeros((20, 20, 3))
    colours[labels == 1], colours[labels == 2] = 80, 10
    found = regions(labels, [(np.arange(3), np.array([[0, 2], [1, 3]]))])
    order = np.argsort(-outline_score(found, contacts(labels, colours)), kind="stable")
    assert order[0] in (1, 3) and order[-1] == 4
    score = outline_score(found, contacts(labels, colours))
    assert score[1] > score[2] > score[4] == 0
