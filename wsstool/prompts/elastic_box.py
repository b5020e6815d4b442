"""A box that grows towards surroundings that look like its object."""

from __future__ import annotations

import numpy as np

STEP = 0.1
"""Width of the strip beside a side that is looked at, and by which the side moves, as a share of the box."""

ROUNDS = 3
"""How often each side may move."""

MAJORITY = 0.5
"""Share of the pixels of a strip that must look like the object."""


def elastic_box(mask: np.ndarray, box: np.ndarray, features: np.ndarray, similarity: float) -> np.ndarray:
    """Move the sides of a box outwards over surroundings whose features are those of its object.

    f is the mean feature over the mask. A pixel looks like the object if the cosine similarity of its feature
    and f exceeds ``similarity``. Beside each side of the box lies a strip as long as the side and ``STEP`` of
    the box wide, at least one pixel; if more than ``MAJORITY`` of its pixels look like the object, the side
    moves to its far end. All four sides are judged on the same box, at most ``ROUNDS`` times.

    Args:
        mask: (H, W) bool, not empty; the rough mask, of which the box may contain only a part.
        box: (4,) xyxy in pixels.
        features: (F, h, w) that cover the image.
        similarity: cosine similarity, [-1, 1].

    Returns:
        (4,) float32 xyxy within the image, except where the box itself is not.

    Source:
        After the context-aware elastic box of Lin et al. (SAMRefiner), ICLR 2025; the rule for growing and
        its constants are our own.
    """
    height, width = mask.shape
    alike = _alike(mask, features) > similarity
    x0, y0, x1, y1 = (float(side) for side in box)
    for _ in range(ROUNDS):
        dx, dy = max(1.0, STEP * (x1 - x0)), max(1.0, STEP * (y1 - y0))
        left, top = max(0.0, x0 - dx), max(0.0, y0 - dy)
        right, bottom = min(float(width), x1 + dx), min(float(height), y1 + dy)
        before = (x0, y0, x1, y1)
        rows, columns = _cells(y0, y1, height), _cells(x0, x1, width)
        x0 = min(x0, left) if _mostly(alike[rows, _cells(left, x0, width)]) else x0
        y0 = min(y0, top) if _mostly(alike[_cells(top, y0, height), columns]) else y0
        x1 = max(x1, right) if _mostly(alike[rows, _cells(x1, right, width)]) else x1
        y1 = max(y1, bottom) if _mostly(alike[_cells(y1, bottom, height), columns]) else y1
        if before == (x0, y0, x1, y1):
            break
    return np.array([x0, y0, x1, y1], np.float32)


def _alike(mask: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return the cosine similarity of every pixel to the mean feature over the mask, (H, W)."""
    height, width = mask.shape
    rows = (np.arange(height) + 0.5) * features.shape[1] / height
    columns = (np.arange(width) + 0.5) * features.shape[2] / width
    grid = np.ix_(rows.astype(int), columns.astype(int))
    cells = np.asarray(np.ravel_multi_index(grid, features.shape[1:]))  # the cell of every pixel
    flat = features.reshape(len(features), -1).astype(np.float64)
    weights = np.bincount(cells[mask], minlength=flat.shape[1])
    mean = flat @ weights
    lengths = np.linalg.norm(flat, axis=0) * np.linalg.norm(mean)
    return np.asarray((mean @ flat / np.maximum(lengths, 1e-12))[cells])


def _cells(low: float, high: float, end: int) -> slice:
    """The pixels between two sides, within the image."""
    first = min(max(round(low), 0), end)
    return slice(first, min(max(round(high), first), end))


def _mostly(strip: np.ndarray) -> bool:
    return strip.size > 0 and bool(strip.mean() > MAJORITY)
