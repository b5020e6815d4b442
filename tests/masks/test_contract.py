"""The contracts of refiners, rules and backgrounds, for every name in the registries."""

import warnings

import numpy as np
import pytest
import torch

from tests.masks.guides import with_guides
from wsstool.errors import BadInputError
from wsstool.registry import BACKGROUNDS, REFINERS, RULES
from wsstool.types import IGNORE


def scene(k: int = 3, height: int = 21, width: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Scores in [0, 1] and an image of k coloured stripes."""
    rng = np.random.default_rng(k)
    stripe = np.arange(width) * k // width
    scores = rng.random((k, height, width)) * 0.6 + 0.4 * (stripe == np.arange(k)[:, None])[:, None]
    image = 40 + 60 * stripe[None, :, None] + rng.integers(0, 9, (height, width, 3))
    return scores.astype(np.float32), image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def every_warning():
    """Warnings are errors, torch's too, which come once in a process otherwise."""
    torch.set_warn_always(True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    torch.set_warn_always(False)


@pytest.mark.parametrize("name", REFINERS.names())
class TestRefiner:
    @pytest.mark.parametrize("k", [1, 2, 4])
    def test_returns_scores_of_the_same_form_and_range(self, name, k):
        scores, image = scene(k)
        out = with_guides(name)(scores, image)
        assert out.shape == scores.shape and out.dtype == np.float32
        assert np.isfinite(out).all() and out.min() >= 0 and out.max() <= 1

    def test_leaves_its_input_alone_and_repeats_itself(self, name):
        scores, image = scene()
        before = scores.copy(), image.copy()
        first = with_guides(name)(scores, image)
        np.testing.assert_array_equal(first, with_guides(name)(scores, image))
        np.testing.assert_array_equal(scores, before[0])
        np.testing.assert_array_equal(image, before[1])

    def test_finds_the_stripes_better_than_the_scores_do(self, name):
        scores, image = scene(3, 40, 60)
        truth = np.broadcast_to(np.arange(60) * 3 // 60, (40, 60))
        refined = with_guides(name)(scores, image)
        assert (refined.argmax(0) == truth).mean() > (scores.argmax(0) == truth).mean() + 0.05

    def test_the_order_of_the_labels_does_not_matter(self, name):
        scores, image = scene()
        refine = with_guides(name)
        np.testing.assert_allclose(refine(scores[::-1].copy(), image)[::-1], refine(scores, image), atol=1e-4)

    def test_does_not_need_contiguous_input(self, name):
        scores, image = scene()
        refine = with_guides(name)
        strided = np.asfortranarray(scores.astype(np.float64))
        np.testing.assert_allclose(refine(strided, image[:, ::-1][:, ::-1]), refine(scores, image), atol=1e-6)

    def test_takes_arrays_that_are_read_only(self, name, every_warning):
        scores, image = scene()
        expected = with_guides(name)(scores, image)
        scores.flags.writeable = image.flags.writeable = False
        np.testing.assert_array_equal(with_guides(name)(scores, image), expected)

    @pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (2, 2)])
    def test_tiny_images_are_legal(self, name, size):
        scores, image = scene(2, *size)
        assert with_guides(name)(scores, image).shape == (2, *size)

    def test_no_labels_give_no_labels(self, name):
        _, image = scene()
        assert with_guides(name)(np.zeros((0, 21, 30), np.float32), image).shape == (0, 21, 30)

    def test_bad_input_is_one_sentence(self, name):
        scores, image = scene()
        refine = with_guides(name)
        with pytest.raises(BadInputError, match="30 x 20 px"):
            refine(scores, image[:20])
        with pytest.raises(BadInputError, match="RGB"):
            refine(scores, image[:, :, 0])
        with pytest.raises(BadInputError, match="NaN"):
            refine(np.where(scores > 0.9, np.nan, scores), image)


@pytest.mark.parametrize("name", RULES.names())
class TestRule:
    def test_returns_a_label_map_of_the_given_ids(self, name):
        scores, _ = scene(4)
        labels = RULES.load(name)(scores, [0, 3, 7, 254], background=0)
        assert labels.shape == scores.shape[1:] and labels.dtype == np.uint8
        assert set(np.unique(labels)) <= {0, 3, 7, 254, IGNORE}

    def test_without_labels_nothing_is_known(self, name):
        labels = RULES.load(name)(np.zeros((0, 2, 3), np.float32), [])
        assert labels.tolist() == [[IGNORE] * 3] * 2

    def test_leaves_its_input_alone(self, name):
        scores, _ = scene()
        before = scores.copy()
        RULES.load(name)(scores, [1, 2, 3])
        np.testing.assert_array_equal(scores, before)

    def test_the_clear_winner_wins(self, name):
        scores = np.zeros((3, 1, 3), np.float32)
        scores[[2, 0, 1], 0, [0, 1, 2]] = 1
        assert RULES.load(name)(scores, [4, 5, 6]).tolist() == [[6, 4, 5]]


@pytest.mark.parametrize("name", BACKGROUNDS.names())
class TestBackground:
    @pytest.mark.parametrize("size", [(21, 30), (1, 1), (1, 7)])
    def test_says_yes_or_no_of_every_pixel(self, name, size):
        _, image = scene(2, *size)
        found = BACKGROUNDS.load(name)(image)
        assert found.shape == size and found.dtype == bool

    def test_leaves_its_input_alone_and_repeats_itself(self, name):
        _, image = scene()
        before = image.copy()
        first = BACKGROUNDS.load(name)(image)
        np.testing.assert_array_equal(first, BACKGROUNDS.load(name)(image))
        np.testing.assert_array_equal(image, before)

    def test_its_options_are_no_one_else_s(self, name):
        others = {o for r in (RULES, REFINERS) for n in r.names() for o in r.own_options(n)}
        assert not others & set(BACKGROUNDS.own_options(name))
