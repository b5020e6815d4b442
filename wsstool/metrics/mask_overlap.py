"""Overlaps of masks from their run lengths, without decoding them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def run_overlaps(found: Sequence[np.ndarray], true: Sequence[np.ndarray], crowd: np.ndarray) -> np.ndarray:
    """Return the IoU of each mask with each ground-truth mask; with a crowd: the share of the mask inside it.

    A run of ``found`` shares with a ground-truth mask the number of its pixels before the end of the run
    minus those before its start; both are looked up in the cumulative sums of its runs.

    Args:
        found: D masks of one image, (R,) int64 run lengths each, alternating between 0 and 1, 0 first.
        true: G masks, in the same pixel order.
        crowd: (G,) bool.
    Returns:
        (D, G) float64; 0 for two empty masks.

    >>> run_overlaps([np.array([0, 4])], [np.array([2, 2]), np.array([2, 2])], np.array([False, True]))
    array([[0.5, 0.5]])
    """
    shape = len(found), len(true)
    ends = [np.cumsum(runs) for runs in found]
    owner = np.repeat(np.arange(shape[0]), [len(one) // 2 for one in ends])
    nothing = np.zeros(0, np.int64)
    start = np.concatenate([nothing, *(one[: len(one) // 2 * 2 : 2] for one in ends)])
    end = np.concatenate([nothing, *(one[1::2] for one in ends)])
    shared = np.zeros(shape)
    for g, runs in enumerate(true):
        edges = np.concatenate([[0], np.cumsum(runs)])
        set_before = np.concatenate([[0], np.cumsum(np.where(np.arange(len(runs)) % 2, runs, 0))])

        def before(pixel: np.ndarray, edges: np.ndarray = edges, sums: np.ndarray = set_before) -> np.ndarray:
            run = np.searchsorted(edges, pixel, "right") - 1
            return sums[run] + np.where(run % 2, pixel - edges[run], 0)

        shared[:, g] = np.bincount(owner, before(end) - before(start), shape[0])
    areas, true_areas = run_areas(found)[:, None], run_areas(true)
    union = np.where(crowd, areas, areas + true_areas - shared)
    return np.divide(shared, union, out=np.zeros(shape), where=union > 0)


def run_areas(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the area of each mask, (N,) float64 pixels."""
    return np.array([runs[1::2].sum() for runs in masks], np.float64)
