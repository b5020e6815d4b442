"""Rough masks outlined by a promptable segmenter: which parts prompt, which masks win, what stays."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from tests.masks.guides import Colours
from wsstool.errors import UsageError
from wsstool.masks.guided.sam import sam
from wsstool.prompts.segmenter import Prompt, PromptedImage

SIZE = (30, 40)


def area(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def scores_of(*masks: np.ndarray, score: float = 1.0) -> np.ndarray:
    """One channel per class after the background, which is where no class is."""
    return np.stack([~np.any(masks, 0) * score, *(one * score for one in masks)]).astype(np.float32)


class Fixed(Colours):
    """Answers with the masks given, in order."""

    def __init__(self, *masks: np.ndarray) -> None:
        super().__init__()
        self.answers = masks

    def masks(self, state, prompts: Iterable[Prompt]) -> Iterator[tuple[np.ndarray, float]]:
        for prompt, mask in zip(prompts, self.answers, strict=True):
            self.prompts.append(prompt)
            yield mask, 0.5


def refined(scores: np.ndarray, segmenter: Colours, background: int = 0, **own) -> np.ndarray:
    image = np.zeros((*SIZE, 3), np.uint8)
    return sam(scores, image, PromptedImage(segmenter, image), background, **own).argmax(0)


def test_a_mask_replaces_the_part_and_what_it_leaves_is_background():
    rough, mask = area(5, 5, 20, 20), area(8, 5, 23, 20)
    np.testing.assert_array_equal(refined(scores_of(rough), Fixed(mask)) == 1, mask)


def test_without_a_background_what_it_leaves_keeps_its_class():
    rough, mask = area(5, 5, 20, 20), area(8, 5, 23, 20)
    scores = np.stack([rough * 0.9, ~rough]).astype(np.float32)
    found = refined(scores, Fixed(mask, ~rough), background=-1)
    np.testing.assert_array_equal(found == 0, rough)  # the other class is surer where the masks meet


@pytest.mark.parametrize(("least", "replaced"), [(0.5, False), (0.3, True), (0, True)])
def test_a_mask_that_disagrees_replaces_nothing(least, replaced):
    rough, mask = area(5, 5, 20, 20), area(13, 5, 28, 20)  # IoU 7 / 23
    found = refined(scores_of(rough), Fixed(mask), agreement=least)
    np.testing.assert_array_equal(found == 1, mask if replaced else rough)


def test_an_empty_mask_never_replaces():
    rough = area(5, 5, 20, 20)
    np.testing.assert_array_equal(refined(scores_of(rough), Fixed(~rough & rough), agreement=0) == 1, rough)


def test_each_part_prompts_and_small_ones_stay():
    left, right, speck = area(2, 2, 12, 12), area(25, 2, 35, 12), area(20, 25, 22, 27)
    segmenter = Fixed(left, right)
    found = refined(scores_of(left | right | speck), segmenter, elastic=False)
    np.testing.assert_array_equal(found == 1, left | right | speck)
    assert [one.box.tolist() for one in segmenter.prompts] == [[2, 2, 12, 12], [25, 2, 35, 12]]
    together = Fixed(left | right | speck)
    refined(scores_of(left | right | speck), together, parts=False, elastic=False)
    assert [one.box.tolist() for one in together.prompts] == [[2, 2, 35, 27]]


@pytest.mark.parametrize("better", [1, 2])
def test_where_masks_meet_the_surer_class_wins(better):
    one, other = area(2, 2, 18, 28), area(18, 2, 34, 28)
    scores = scores_of(one, other, score=0.5)
    scores[better] *= 1.5
    found = refined(scores, Fixed(area(2, 2, 22, 28), area(14, 2, 34, 28)))
    edge = 22 if better == 1 else 14
    np.testing.assert_array_equal(found == 1, area(2, 2, edge, 28))
    np.testing.assert_array_equal(found == 2, area(edge, 2, 34, 28))


def test_background_alone_asks_nothing():
    segmenter = Fixed()
    assert (refined(scores_of(area(0, 0, 0, 0)), segmenter) == 0).all() and not segmenter.encoded


@pytest.mark.parametrize("own", [{"agreement": 1.5}, {"agreement": float("nan")}, {"min_area": 0}])
def test_values_out_of_range(own):
    with pytest.raises(UsageError, match="sam needs an agreement"):
        refined(scores_of(area(0, 0, 9, 9)), Fixed(), **own)
