"""The merge tree against a slow one that measures every pair of regions anew, from pixels, at every step."""

import itertools

import numpy as np
import pytest

from tests.proposals.scenes import noise
from wsstool.proposals.contacts import contacts
from wsstool.proposals.histograms import colour_histograms, in_space, lab
from wsstool.proposals.merging import merge_tree
from wsstool.regions import superpixel_boxes


def blocks(rows: int, columns: int, side: int, seed: int) -> np.ndarray:
    """Labels of ragged blocks, numbered at random."""
    r = np.random.default_rng(seed)
    labels = np.indices((rows * side, columns * side)) // side
    numbers = r.permutation(rows * columns).reshape(rows, columns)[labels[0], labels[1]]
    moved = np.roll(numbers, 1, 1)
    return np.where(r.random(numbers.shape) < 0.1, moved, numbers)


def slow(labels: np.ndarray, values: np.ndarray, size: float, fill: float) -> list[tuple[set[int], float]]:
    """Merge the best pair of touching regions again and again, by brute force; each new region as a set."""

    def mask(region: frozenset[int]) -> np.ndarray:
        return np.isin(labels, list(region))

    def histogram(region: frozenset[int]) -> np.ndarray:
        inside = values[mask(region)]
        bins = np.clip((inside * 25).astype(int), 0, 24)
        counts = [np.bincount(bins[:, c], minlength=25) for c in range(values.shape[2])]
        return np.concatenate(counts) / inside.size

    def touch(a: frozenset[int], b: frozenset[int]) -> bool:
        grown = np.pad(mask(a), 1)
        h, w = labels.shape
        around = np.zeros_like(labels, bool)
        for dy, dx in itertools.product(range(3), range(3)):
            around |= grown[dy : dy + h, dx : dx + w]
        return bool((around & mask(b)).any())

    def similarity(a: frozenset[int], b: frozenset[int]) -> float:
        both = mask(a) | mask(b)
        rows, columns = np.nonzero(both)
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        return (
            np.minimum(histogram(a), histogram(b)).sum()
            + size * (1 - both.sum() / labels.size)
            + fill * (1 - (box - both.sum()) / labels.size)
        )

    regions = [frozenset([s]) for s in range(labels.max() + 1)]
    found = []
    while len(regions) > 1:
        pairs = [(a, b) for a, b in itertools.combinations(regions, 2) if touch(a, b)]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: similarity(*pair))
        regions = [one for one in regions if one not in best] + [best[0] | best[1]]
        found.append((set(best[0] | best[1]), similarity(*best)))
    return found


@pytest.mark.parametrize(("size", "fill"), [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.5, 2.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_a_slow_reference(size, fill, seed):
    labels = blocks(3, 4, 6, seed)
    image = noise(labels.shape, seed) // 3 + (labels * 14)[..., None].astype(np.uint8)
    values = in_space(image, "rgb")
    merges = merge_tree(
        contacts(labels, lab(image)).pairs,
        np.bincount(labels.reshape(-1)),
        superpixel_boxes(labels),
        colour_histograms(labels, values),
        size=size,
        fill=fill,
    )
    held = [{s} for s in range(labels.max() + 1)]
    for a, b in merges.tolist():
        held.append(held[a] | held[b])
    expected = [region for region, _ in slow(labels, values, size, fill)]
    assert held[labels.max() + 1 :] == expected and len(expected) == 11


def test_of_equal_pairs_the_lower_numbers_go_first():
    labels = np.arange(4)[None].repeat(2, 0)
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    merges = merge_tree(pairs, np.full(4, 2), superpixel_boxes(labels), np.ones((4, 1)))
    assert merges.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_regions_that_do_not_touch_stay_apart():
    labels = np.arange(4)[None]
    merges = merge_tree(
        np.array([[0, 1], [2, 3]]), np.ones(4, int), superpixel_boxes(labels), np.ones((4, 1))
    )
    assert sorted(merges.tolist()) == [[0, 1], [2, 3]]


def test_corners_are_contacts():
    found = contacts(np.array([[0, 1], [2, 3]]), np.array([[0.0, 3], [4, 0]])[..., None])
    assert found.pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert found.length.tolist() == [1] * 6
    assert found.contrast.tolist() == [3, 4, 0, 1, 3, 4]
