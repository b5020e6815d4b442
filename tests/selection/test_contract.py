"""What every selector and filler keeps, for every name in the registries."""

import importlib.util

import numpy as np
import pytest

from tests.selection.scenes import scene
from wsstool.errors import MissingInputError
from wsstool.regions import Proposals
from wsstool.registry import FILLERS, SELECTORS

HAS_OPENCV = importlib.util.find_spec("cv2") is not None


@pytest.mark.parametrize("name", SELECTORS.names())
class TestSelectors:
    def test_numbers_of_proposals_and_a_score(self, name):
        for seed in range(5):
            proposals, masks, prior, _, box = scene(seed)
            indices, score = SELECTORS.load(name)(proposals, prior, box)
            assert indices.dtype == np.int64 and len(set(indices.tolist())) == len(indices) > 0
            assert indices.min() >= 0 and indices.max() < len(masks)
            assert 0 < score <= 1

    def test_repeats_itself_and_leaves_its_input_alone(self, name):
        proposals, _, prior, _, box = scene(3)
        before = [a.copy() for a in (proposals.superpixels, proposals.nodes, prior, box)]
        first = SELECTORS.load(name)(proposals, prior, box)
        again = SELECTORS.load(name)(proposals, prior, box)
        assert first[0].tolist() == again[0].tolist() and first[1] == again[1]
        for a, b in zip(before, (proposals.superpixels, proposals.nodes, prior, box), strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("kind", ["no proposals", "empty map", "tiny box", "box outside", "not a number"])
    def test_nothing_to_choose_is_no_error(self, name, kind):
        proposals, _, prior, _, box = scene(1)
        if kind == "no proposals":
            proposals = Proposals(proposals.superpixels, np.zeros((0, 3), np.uint16))
        elif kind == "empty map":
            prior = np.zeros_like(prior)
        elif kind == "not a number":
            prior = np.full_like(prior, np.nan)
        else:
            box = np.array([5, 5, 6, 6] if kind == "tiny box" else [-9, -9, -2, -2], np.float32)
        indices, score = SELECTORS.load(name)(proposals, prior, box)
        if name == "proposal" and kind in ("empty map", "not a number"):
            assert len(indices) == 1
        else:
            assert len(indices) == 0 and score == 0

    def test_an_object_that_fills_the_image(self, name):
        proposals, _, _, _, _ = scene(2)
        height, width = proposals.superpixels.shape
        every = np.arange(proposals.n_superpixels)
        rows = [(0, 1, 0)] + [(len(every) + k, k + 2, 0) for k in range(len(every) - 3)]
        rows.append((len(every) + len(rows) - 1, len(every) - 1, 1))
        whole = Proposals(proposals.superpixels, np.array(rows, np.uint16))
        box = np.array([0, 0, width, height], np.float32)
        indices, _ = SELECTORS.load(name)(whole, np.ones((height, width), np.float32), box)
        assert indices.tolist() == [0]


@pytest.mark.parametrize("name", FILLERS.names())
class TestFillers:
    @pytest.fixture(autouse=True)
    def has_opencv(self, name):
        if name == "grabcut-opencv" and not HAS_OPENCV:
            with pytest.raises(MissingInputError, match="OpenCV"):
                FILLERS.load(name)((9, 9), np.array([1, 1, 5, 5]), np.zeros((9, 9, 3), np.uint8))
            pytest.skip("OpenCV is not installed; the sentence that says so was tested")

    def fill(self, name, size, box):
        rng = np.random.default_rng(0)
        known = {
            "image": rng.integers(0, 255, (*size, 3), np.uint8),
            "prior": rng.random(size, np.float32),
        }
        asked = {key: value for key, value in known.items() if FILLERS.takes(name, key)}
        return FILLERS.load(name)(size, np.array(box, np.float32), **asked)

    def test_a_mask_inside_the_box(self, name):
        mask = self.fill(name, (40, 30), (5.5, 8, 22, 30))
        assert mask.shape == (40, 30) and mask.dtype == np.uint8 and set(np.unique(mask)) <= {0, 1, 255}
        outside = mask.copy()
        outside[8:30, 5:22] = 0
        assert not outside.any()

    @pytest.mark.parametrize(
        ("size", "box"),
        [((9, 9), (0, 0, 9, 9)), ((9, 9), (4, 4, 5, 5)), ((1, 1), (0, 0, 1, 1)), ((1, 40), (3, 0, 20, 1))],
    )
    def test_extreme_boxes(self, name, size, box):
        assert self.fill(name, size, box).shape == size
