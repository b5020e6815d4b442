"""Best overlap and recall of proposals, against dense masks; parts merged equal one pass."""

import numpy as np
import pytest

from wsstool.metrics.box_overlap import box_overlaps
from wsstool.metrics.proposals import COUNTS, ProposalScores, best_unions, mask_overlaps
from wsstool.proposals.masks import from_masks
from wsstool.regions import Proposals


def discs(seed: int, count: int, size: tuple[int, int] = (40, 50)) -> list[np.ndarray]:
    r = np.random.default_rng(seed)
    rows, columns = np.indices(size)
    drawn = [
        (rows - r.integers(size[0])) ** 2 + (columns - r.integers(size[1])) ** 2 < r.integers(9, 400)
        for _ in range(count)
    ]
    return list({mask.tobytes(): mask for mask in drawn}.values())


def boxes_of(masks: list[np.ndarray]) -> np.ndarray:
    found = []
    for mask in masks:
        y, x = np.nonzero(mask)
        found.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
    return np.array(found, np.float32).reshape(-1, 4)


def dense(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
    return np.array([[(m & n).sum() / (m | n).sum() for n in b] for m in a])


def filled(boxes: np.ndarray, size: tuple[int, int] = (40, 50)) -> list[np.ndarray]:
    found = []
    for x0, y0, x1, y1 in boxes.astype(int):
        found.append(np.zeros(size, bool))
        found[-1][y0:y1, x0:x1] = True
    return found


@pytest.mark.parametrize("seed", range(3))
def test_overlaps_equal_those_of_dense_masks(seed):
    proposed, truth = discs(seed, 12), discs(seed + 50, 5)
    found, _ = from_masks((40, 50), proposed)
    np.testing.assert_allclose(mask_overlaps(found, found.members(), truth), dense(truth, proposed))
    a, b = boxes_of(truth), boxes_of(proposed)
    np.testing.assert_allclose(box_overlaps(a, b), dense(filled(a), filled(b)))


def test_the_best_union_is_the_best_of_all_subsets():
    r = np.random.default_rng(0)
    superpixels, truth = r.integers(0, 7, (9, 9)), r.random((9, 9)) < 0.4
    superpixels[:1, :7] = np.arange(7)
    every = [np.isin(superpixels, [s for s in range(7) if k >> s & 1]) for k in range(1, 128)]
    np.testing.assert_allclose(best_unions(superpixels, [truth]), dense([truth], every).max(1))


def test_numbers_by_hand():
    found, _ = from_masks((1, 4), [np.array([[1, 1, 0, 0]], bool), np.array([[1, 1, 1, 0]], bool)])
    scores = ProposalScores()
    scores.add(found, [np.array([[1, 1, 1, 1]], bool)], np.array([[0, 0, 4, 1]]))
    (row,) = [r for r in scores.result() if (r["of"], r["objects"], r["best"]) == ("masks", "all", None)]
    expected = {"number": 1, "abo": 0.75, "recall_50": 1, "recall_70": 1, "recall_85": 0, "ar": 0.6}
    assert {key: row[key] for key in expected} == pytest.approx(expected)


def test_the_first_n_count():
    target = np.zeros((20, 20), bool)
    target[3:9, 3:9] = True
    others = []
    for i in range(60):
        others.append(np.zeros((20, 20), bool))
        others[-1].flat[100 + i : 300] = True
    found, _ = from_masks((20, 20), [*others, target])
    scores = ProposalScores()
    scores.add(found, [target], boxes_of([target]))
    best = {r["best"]: r["abo"] for r in scores.result() if r["of"] == "masks" and r["objects"] == "all"}
    assert best[10] < 0.3 and best[100] == best[1000] == best[None] == 1


def test_parts_merged_equal_one_pass():
    whole, parts = ProposalScores(), ProposalScores()
    for seed in range(4):
        found, _ = from_masks((40, 50), discs(seed, 9))
        truth: list = discs(seed + 9, 3)
        boxes = boxes_of(truth)
        truth[0] = None
        whole.add(found, truth, boxes)
        part = ProposalScores()
        part.add(found, truth, boxes)
        parts.merge(part)
    assert parts.result() == whole.result()


def test_objects_without_a_mask_count_by_their_box_only():
    scores = ProposalScores()
    found, _ = from_masks((40, 50), discs(1, 5))
    scores.add(found, [None], np.array([[2, 2, 30, 30]]))
    numbers = {(r["of"], r["objects"]): r["number"] for r in scores.result()}
    assert numbers["masks", "all"] == 0 and numbers["boxes", "all"] == 1
    assert numbers["boxes", "small"] == 1
    assert scores.result()[0]["abo"] is None


@pytest.mark.parametrize(
    ("shape", "size"),
    [((31, 33), "small"), ((32, 32), "medium"), ((95, 97), "medium"), ((96, 96), "large")],
)
@pytest.mark.parametrize("has_mask", [True, False])
def test_a_size_begins_at_its_lower_limit(shape, size, has_mask):
    height, width = shape
    target = np.zeros((100, 100), bool)
    target[:height, :width] = True
    scores = ProposalScores()
    scores.add(from_masks((100, 100), [target])[0], [target if has_mask else None], boxes_of([target]))
    counted = {r["objects"] for r in scores.result() if r["number"] and r["of"] == "boxes"}
    assert counted == {"all", size}


@pytest.mark.parametrize(("width", "recalls"), [(5, (1, 0, 0)), (7, (1, 1, 0)), (4, (0, 0, 0))])
def test_an_overlap_equal_to_the_threshold_is_recalled(width, recalls):
    target = np.ones((1, 10), bool)
    found, _ = from_masks((1, 10), [np.arange(10)[None] < width])
    scores = ProposalScores()
    scores.add(found, [target], boxes_of([target]))
    row = next(r for r in scores.result() if r["of"] == "masks" and r["objects"] == "all")
    assert (row["recall_50"], row["recall_70"], row["recall_85"]) == recalls


def test_a_failed_image_and_one_without_proposals_find_nothing():
    target = np.ones((4, 4), bool)
    scores = ProposalScores()
    for found in (None, Proposals(np.zeros((4, 4), np.uint16), np.zeros((0, 3), np.uint16))):
        scores.add(found, [target], np.array([[0, 0, 4, 4]]))
    rows = [r for r in scores.result() if r["objects"] == "all"]
    assert len(rows) == 2 * len(COUNTS) + 1 and all(r["number"] == 2 and r["abo"] == 0 for r in rows)


def test_an_image_without_objects_adds_nothing():
    scores = ProposalScores()
    scores.add(from_masks((4, 4), [np.eye(4, dtype=bool)])[0], [], np.zeros((0, 4)))
    assert scores.result()[0]["number"] == 0 and scores.counts == [1]
