"""Normalised cuts: the eigenvector against a slow computation, groups of positions, outlines, bad input."""

import numpy as np
import pytest
from scipy.linalg import eig

from tests.proposals.scenes import scene
from wsstool.errors import BadInputError, UsageError
from wsstool.proposals.ncut import WEAK, _object, ncut


def features_of(groups: np.ndarray) -> np.ndarray:
    """One channel per group."""
    return (groups == np.arange(groups.max() + 1)[:, None, None]).astype(np.float32)


GROUPS = np.zeros((6, 8), int)
GROUPS[1:4, 1:4], GROUPS[3:5, 5:7] = 1, 2


def test_objects_come_out_one_after_the_other_and_the_rest_last():
    image = np.full((48, 64, 3), 128, np.uint8)
    found = ncut(image, features_of(GROUPS), snap=False)
    masks = found.members()[:, found.superpixels]
    truth = np.kron(GROUPS, np.ones((8, 8), int))
    assert len(masks) == 3
    assert {mask.tobytes() for mask in masks[:2]} == {(truth == k).tobytes() for k in (1, 2)}
    np.testing.assert_array_equal(masks[2], truth == 0)


def test_one_object_is_one_cut():
    found = ncut(np.full((48, 64, 3), 128, np.uint8), features_of(GROUPS), objects=1, snap=False)
    assert len(found) == 2


def test_the_cut_is_that_of_the_second_generalised_eigenvector():
    x = np.random.default_rng(3).normal(size=(4, 30))
    x /= np.linalg.norm(x, axis=0)
    weights = np.where(x.T @ x > 0.2, 1.0, WEAK)
    degree = np.diag(weights.sum(1))
    values, vectors = eig(degree - weights, degree)
    y = np.real(vectors[:, np.argsort(np.real(values))[1]])
    side = (y > y.mean()).reshape(5, 6)
    found = _object(weights, np.ones((5, 6), bool))
    assert found is not None
    assert side[found].all() or not side[found].any()


def test_superpixels_give_the_outlines():
    image, masks = scene((120, 160))
    cells = np.max([k * mask[4::8, 4::8] for k, mask in enumerate(masks, 1)], 0)
    features = features_of(cells)
    snapped, coarse = (ncut(image, features, objects=len(masks), snap=snap) for snap in (True, False))

    def overlap(found):
        members = found.members()[:, found.superpixels]
        best = [max((m & mask).sum() / (m | mask).sum() for m in members) for mask in masks]
        return np.mean(best)

    assert overlap(snapped) > overlap(coarse) + 0.05


def test_an_image_of_one_thing_is_one_region():
    found = ncut(np.full((40, 40, 3), 9, np.uint8), np.ones((3, 5, 5), np.float32))
    assert len(found) == 1 and found.n_superpixels == 1


def test_large_feature_maps_are_reduced():
    image = np.full((48, 64, 3), 128, np.uint8)
    fine = features_of(np.kron(GROUPS, np.ones((2, 2), int)))
    one, other = (ncut(image, features, snap=False, grid_side=8) for features in (fine, features_of(GROUPS)))
    np.testing.assert_array_equal(one.superpixels, other.superpixels)


@pytest.mark.parametrize("own", [{"objects": 0}, {"threshold": 1.0}, {"grid_side": 0}])
def test_wrong_values(own):
    with pytest.raises(UsageError, match="ncut needs"):
        ncut(np.zeros((9, 9, 3), np.uint8), np.ones((1, 2, 2)), **own)


def test_features_that_are_not_finite():
    with pytest.raises(BadInputError, match="NaN"):
        ncut(np.zeros((9, 9, 3), np.uint8), np.full((1, 2, 2), np.inf))
