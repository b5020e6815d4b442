"""Prompts derived from rough masks: points, boxes that grow, mask prompts; an image is encoded once."""

import numpy as np
import pytest

from tests.masks.guides import Colours
from wsstool.errors import UsageError
from wsstool.prompts.elastic_box import elastic_box
from wsstool.prompts.rough_masks import RoughMaskPrompts, bounding_box, distance_points, gaussian_mask
from wsstool.prompts.segmenter import Prompt, PromptedImage


def rectangle(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = (20, 30)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return mask


class TestPoints:
    def test_the_middle_of_a_square_and_the_far_corner_of_its_box(self):
        points, on_object = distance_points(rectangle(4, 3, 9, 8), np.array([4, 3, 20, 15]))
        assert points.tolist() == [[6, 5], [19, 14]] and on_object.tolist() == [True, False]

    def test_the_border_of_the_image_counts_as_outside(self):
        points, _ = distance_points(np.ones((5, 5), bool), np.array([0, 0, 5, 5]))
        assert points.tolist() == [[2, 2]]

    def test_the_thick_end_of_a_shape(self):
        mask = rectangle(0, 9, 20, 11) | rectangle(20, 5, 29, 14)
        assert distance_points(mask, np.array([0, 0, 30, 20]))[0][0].tolist() == [24, 9]


class TestElasticBox:
    FEATURES = np.stack([rectangle(5, 5, 20, 12), ~rectangle(5, 5, 20, 12)]).astype(np.float32)

    def test_grows_over_what_looks_like_the_object_and_stops_at_what_does_not(self):
        mask = rectangle(8, 6, 17, 11)
        found = elastic_box(mask, bounding_box(mask), self.FEATURES, 0.5)
        np.testing.assert_allclose(found, [5, 5, 20, 12], atol=1)

    def test_stays_where_nothing_around_is_alike(self):
        mask = rectangle(5, 5, 20, 12)
        assert elastic_box(mask, bounding_box(mask), self.FEATURES, 0.5).tolist() == [5, 5, 20, 12]

    def test_stays_in_the_image(self):
        mask = rectangle(1, 1, 29, 19)
        found = elastic_box(mask, bounding_box(mask), np.ones((1, 4, 6), np.float32), 0.5)
        assert found.tolist() == [0, 0, 30, 20]


class TestGaussianMask:
    def test_follows_its_formula_inside_and_is_0_outside(self):
        mask = rectangle(10, 5, 20, 15)
        found = gaussian_mask(mask, np.array([14, 9]), 30, 4)
        assert found[9, 14] == 30 and found[9, 17] == pytest.approx(30 * np.exp(-9 / 400))
        assert not found[~mask].any() and (found[mask] > 0).all()


class TestPrompts:
    IMAGE = np.full((20, 30, 3), 90, np.uint8)

    def test_each_part_can_be_left_out(self):
        under, mask = PromptedImage(Colours(), self.IMAGE), rectangle(8, 6, 17, 11)
        every = RoughMaskPrompts().of(mask, under)
        assert len(every.points) == 2 and every.mask is not None and every.box[0] < 8
        bare = RoughMaskPrompts(points=False, elastic=False, gaussian=False).of(mask, under)
        assert bare.box.tolist() == [8, 6, 17, 11] and not len(bare.points) and bare.mask is None

    @pytest.mark.parametrize("own", [{"similarity": 2}, {"strength": 0}, {"span": float("inf")}])
    def test_values_out_of_range(self, own):
        with pytest.raises(UsageError, match="sam needs"):
            RoughMaskPrompts(**own)

    def test_an_image_is_encoded_once_and_only_when_asked(self):
        colours = Colours()
        under = PromptedImage(colours, self.IMAGE)
        assert colours.encoded == [] and under.size == (20, 30)
        for _ in range(2):
            _ = under.features, list(under.masks([Prompt(np.array([0, 0, 9, 9]))]))
        assert colours.encoded == [(20, 30, 3)]
