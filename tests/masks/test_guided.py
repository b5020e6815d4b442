"""Refiners that read regions or features, against slow computations and known answers."""

import numpy as np
import pytest

from wsstool.errors import BadInputError
from wsstool.masks.guided.affinity import affinity
from wsstool.masks.guided.region_vote import region_vote
from wsstool.regions import Proposals


def one_hot(labels, k):
    return (np.asarray(labels) == np.arange(k)[:, None, None]).astype(np.float32)


def image_of(scores):
    return np.zeros((*scores.shape[1:], 3), np.uint8)


class TestRegionVote:
    def test_mean_is_the_mean_share_of_all_regions_at_a_pixel(self):
        rng = np.random.default_rng(0)
        superpixels = rng.integers(0, 6, (9, 11)).astype(np.uint16)
        nodes = np.array([[0, 1, 1], [2, 6, 1], [3, 3, 1], [3, 4, 0], [9, 7, 1]], np.uint16)  # none holds 5
        regions, scores = Proposals(superpixels, nodes), rng.random((3, 9, 11)).astype(np.float32)
        sets = [{0, 1}, {0, 1, 2}, {3}, {0, 1, 2, 3, 4}]
        labels = scores.argmax(0)
        found = region_vote(scores, image_of(scores), regions)
        for at in np.ndindex(labels.shape):
            inside = [np.isin(superpixels, list(one)) for one in sets if superpixels[at] in one]
            votes = [[(labels[mask] == k).mean() for k in range(3)] for mask in inside]
            expected = np.mean(votes, 0) if votes else np.eye(3)[labels[at]]
            np.testing.assert_allclose(found[:, *at], expected, atol=1e-6)

    # superpixels: 0 of 4 pixels, 1 of 4, 2 of 2
    LINE = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 2, 2]], np.uint16)

    def sepl(self, labels, nodes, background=-1, **own):
        scores = one_hot([labels], 3)
        regions = Proposals(self.LINE, np.array(nodes, np.uint16))
        found = region_vote(scores, image_of(scores), regions, background, vote="sepl", **own)
        assert set(np.unique(found)) <= {0, 1} and (found.sum(0) == 1).all()
        return found.argmax(0)[0].tolist()

    def test_a_region_that_is_covered_enough_takes_the_class(self):
        labels = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
        parts = [(0, 0, 1), (1, 1, 1), (2, 2, 1)]
        assert self.sepl(labels, parts) == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
        assert self.sepl(labels, parts, inside=0.75, covering=1.0) == labels  # 3 of 4 is not more than that

    def test_a_region_that_covers_the_class_takes_it_on_a_background(self):
        labels = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
        parts = [(1, 1, 1), (0, 3, 1), (2, 4, 1)]  # nested: the smallest that covers the class counts
        assert self.sepl(labels, parts, 0) == [0] * 4 + [1] * 4 + [0] * 2
        assert self.sepl(labels, parts, 0, covering=1.0) == labels
        assert self.sepl(labels, parts, -1) == [0] * 10  # without a background, class 0 covers the most

    def test_pixels_outside_the_regions_of_a_class_become_background(self):
        labels = [1, 1, 1, 1, 0, 0, 0, 1, 2, 0]
        assert self.sepl(labels, [(0, 0, 1)], 0) == [1, 1, 1, 1, 0, 0, 0, 0, 2, 0]
        assert self.sepl(labels, [(0, 0, 1)]) == labels

    def test_where_regions_meet_the_larger_share_wins(self):
        labels = [1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
        assert self.sepl(labels, [(0, 1, 1), (0, 0, 1)]) == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]

    def test_regions_of_another_size(self):
        scores = one_hot(np.zeros((2, 10), int), 2)
        with pytest.raises(
            BadInputError, match=r"regions are of an image of 10 x 1 px, the score maps are 10 x"
        ):
            region_vote(scores, image_of(scores), Proposals(self.LINE, np.zeros((0, 3), np.uint16)))


class TestAffinity:
    def test_is_a_random_walk(self):
        rng = np.random.default_rng(0)
        features, scores = rng.random((5, 3, 4)), rng.random((2, 3, 4)).astype(np.float32)
        x = features.reshape(5, 12)
        matrix = np.array([[a @ b / np.sqrt((a @ a) * (b @ b)) for a in x.T] for b in x.T]) ** 3
        matrix /= matrix.sum(1, keepdims=True)
        expected = (matrix @ matrix @ scores.reshape(2, 12).T).T.reshape(2, 3, 4)
        found = affinity(scores, image_of(scores), features, sharpening=3.0, walk_steps=2, centre=False)
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_scores_are_averaged_over_the_cells_of_the_features(self):
        scores = np.arange(24, dtype=np.float32).reshape(1, 4, 6) / 24
        features = np.eye(6).reshape(6, 2, 3)  # no two positions are alike
        found = affinity(scores, image_of(scores), features, centre=False, walk_steps=3)
        np.testing.assert_allclose(found[0, 0, 0], scores[0, :2, :2].mean(), atol=1e-6)
        np.testing.assert_allclose(found[0, 3, 5], scores[0, 2:, 4:].mean(), atol=1e-6)

    def test_large_feature_maps_are_reduced(self):
        scores = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)
        features = np.random.default_rng(1).random((3, 8, 8))
        small = affinity(scores, image_of(scores), features, grid_side=1)
        assert np.ptp(small, axis=(1, 2)).max() < 1e-6
        np.testing.assert_allclose(small[:, 0, 0], scores.mean((1, 2)), atol=1e-5)

    def test_features_that_are_not_finite(self):
        scores = one_hot(np.zeros((2, 3), int), 2)
        with pytest.raises(BadInputError, match="features of the image contain NaN"):
            affinity(scores, image_of(scores), np.full((2, 2, 3), np.nan))
