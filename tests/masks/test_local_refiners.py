"""Random walk and PAMR against slow references and their limits."""

import numpy as np
import pytest
from skimage.segmentation import random_walker

from wsstool.errors import UsageError
from wsstool.masks.pamr import pamr
from wsstool.masks.random_walk import random_walk


def blobs(height: int = 16, width: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A square on another ground, and one confident pixel in each."""
    image = np.full((height, width, 3), 50, np.uint8)
    image[4:12, 5:14] = 200
    scores = np.full((2, height, width), 0.5, np.float32)
    scores[:, 0, 0] = (1, 0)
    scores[:, 8, 9] = (0, 1)
    return scores, image


def test_random_walk_of_sure_seeds_equals_scikit_image():
    scores, image = blobs()
    ours = random_walk(scores, image, beta=60, strength=1e6)
    seeds = np.zeros(image.shape[:2], int)
    seeds[0, 0], seeds[8, 9] = 1, 2
    theirs = random_walker(image[:, :, 0] / 255, seeds, beta=1000, mode="bf")
    np.testing.assert_array_equal(ours.argmax(0) + 1, theirs)


def test_random_walk_solves_the_dense_system():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 5, 6), np.float32)
    image = rng.integers(0, 256, (5, 6, 3), np.uint8)
    n = 30
    place = np.stack(np.mgrid[:5, :6], -1).reshape(n, 2)
    colour = image.reshape(n, 3) / 255
    near = np.abs(place[:, None] - place).sum(-1) == 1
    w = near * (np.exp(-7 * ((colour[:, None] - colour) ** 2).sum(-1)) + 1e-4)
    flat = scores.reshape(3, n)
    top = np.sort(flat, 0)
    tie = 0.3 * (top[-1] - top[-2]) ** 2 + 1e-6
    x = np.linalg.solve(np.diag(w.sum(1) + tie) - w, tie[:, None] * np.eye(3)[flat.argmax(0)])
    np.testing.assert_allclose(random_walk(scores, image, beta=7, strength=0.3).reshape(3, n), x.T, atol=1e-5)


def test_random_walk_is_a_probability_also_when_shrunk():
    scores, image = blobs(70, 90)
    out = random_walk(scores, image, longest_side=33)
    np.testing.assert_allclose(out.sum(0), 1, atol=1e-5)


def test_random_walk_with_strong_ties_is_the_argmax():
    rng = np.random.default_rng(0)
    scores, image = rng.random((3, 9, 9), np.float32), rng.integers(0, 256, (9, 9, 3), np.uint8)
    np.testing.assert_array_equal(random_walk(scores, image, strength=1e12).argmax(0), scores.argmax(0))


def test_pamr_equals_a_loop_over_pixels():
    rng = np.random.default_rng(0)
    scores, image = rng.random((2, 5, 6), np.float32), rng.integers(0, 256, (5, 6, 3), np.uint8)
    colours, maps = image / 255, scores.astype(float)
    offsets = [(d * dy, d * dx) for d in (1, 2) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    for _ in range(2):
        out = np.empty_like(maps)
        for i in range(5):
            for j in range(6):
                at = [(np.clip(i + dy, 0, 4), np.clip(j + dx, 0, 5)) for dy, dx in offsets]
                around = np.array([colours[p] for p in at])
                sigma = around.std(0, ddof=1) + 1e-8
                weight = np.exp(-10 * (np.abs(around - colours[i, j]) / sigma).mean(1))
                weight /= weight.sum()
                out[:, i, j] = sum(w * maps[:, y, x] for w, (y, x) in zip(weight, at, strict=True))
        maps = out
    np.testing.assert_allclose(pamr(scores, image, steps=2, dilations=(1, 2)), maps, atol=1e-5)


def test_pamr_does_not_depend_on_how_many_rows_it_takes_at_a_time(monkeypatch):
    from wsstool.masks import pamr as module

    rng = np.random.default_rng(0)
    scores, image = rng.random((2, 13, 9), np.float32), rng.integers(0, 256, (13, 9, 3), np.uint8)
    whole = pamr(scores, image)
    monkeypatch.setattr(module, "_BLOCK", 40)  # 2 rows, and 1 at the end
    np.testing.assert_allclose(pamr(scores, image), whole, atol=1e-6)


def test_pamr_limits():
    scores, image = blobs()
    np.testing.assert_array_equal(pamr(scores, image, steps=0), scores)
    np.testing.assert_allclose(pamr(np.full((1, 9, 9), 0.25, np.float32), image[:9, :9]), 0.25, atol=1e-6)


@pytest.mark.parametrize(
    "own",
    [
        {"dilations": (-1,)},
        {"dilations": (0, 1)},
        {"dilations": ()},
        {"steps": -1},
        {"sharpness": -1.0},
        {"sharpness": float("nan")},
    ],
)
def test_pamr_refuses(own):
    with pytest.raises(UsageError, match="pamr"):
        pamr(*blobs(), **own)


@pytest.mark.parametrize(
    "own", [{"beta": -1.0}, {"strength": 0.0}, {"longest_side": 0}, {"beta": float("nan")}]
)
def test_random_walk_refuses(own):
    with pytest.raises(UsageError, match="random-walk"):
        random_walk(*blobs(), **own)
