"""The merge tree of a partition: again and again the two most similar neighbours become one region.

Source: Uijlings, van de Sande, Gevers and Smeulders, Selective Search for Object Recognition, IJCV 2013,
section 3.2; written from the paper.
"""

from __future__ import annotations

import heapq

import numpy as np


def merge_tree(
    pairs: np.ndarray,
    areas: np.ndarray,
    boxes: np.ndarray,
    histograms: np.ndarray,
    *,
    size: float = 1.0,
    fill: float = 1.0,
) -> np.ndarray:
    """Merge neighbours until one region is left.

    The similarity of two regions a and b of an image of A pixels is

        sum_k min(h_k(a), h_k(b)) + size (1 - (|a| + |b|) / A) + fill (1 - (box(a, b) - |a| - |b|) / A)

    where box(a, b) is the area of the smallest box around both. The histogram of a union is the mean of its
    parts by area. Of equal similarities the pair with the lower numbers goes first.

    Args:
        pairs: (E, 2) int, superpixels that touch.
        areas: (S,) pixels of the superpixels.
        boxes: (S, 4) xyxy around them, x1 and y1 outside.
        histograms: (S, D), colour and texture side by side, each times its weight.
        size, fill: weights of the two other terms.

    Returns:
        (M, 2) int64, row m says which two nodes became node S + m; M is S - 1 where all hang together.
    """
    n, total = len(areas), float(areas.sum())
    ones = np.ones(histograms.shape[1])
    hist = np.empty((2 * n - 1, histograms.shape[1]))
    hist[:n] = histograms
    area = np.zeros(2 * n - 1)
    area[:n] = areas
    reach = np.empty((2 * n - 1, 4))  # (-x0, -y0, x1, y1): the box around two is the maximum of both
    reach[:n] = boxes * [-1, -1, 1, 1]

    def similarity(a: np.ndarray | int, b: np.ndarray | list[int]) -> np.ndarray:
        """The constant part, size + fill, is left out: it is the same for all pairs."""
        around = np.maximum(reach[a], reach[b])
        extent = (around[:, 0] + around[:, 2]) * (around[:, 1] + around[:, 3])
        alike = np.minimum(hist[a], hist[b]) @ ones
        alike -= (fill / total) * extent
        if fill != size:
            alike += ((fill - size) / total) * (area[a] + area[b])
        return alike

    touching: list[set[int]] = [set() for _ in range(n)]
    for a, b in pairs.tolist():
        touching[a].add(b)
        touching[b].add(a)
    first = (-similarity(pairs[:, 0], pairs[:, 1])).tolist()
    heap = list(zip(first, pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True))
    heapq.heapify(heap)
    merged = bytearray(2 * n - 1)
    found: list[tuple[int, int]] = []
    while heap:
        _, a, b = heapq.heappop(heap)
        if merged[a] or merged[b]:
            continue  # one of them went into another pair: similarities never change, pairs only end
        node = n + len(found)
        found.append((a, b))
        merged[a] = merged[b] = 1
        area[node] = both = area[a] + area[b]
        hist[node] = (area[a] / both) * hist[a] + (area[b] / both) * hist[b]
        np.maximum(reach[a], reach[b], out=reach[node])
        around = touching[a] | touching[b]
        around -= {a, b}
        touching.append(around)
        if not around:
            continue
        others = sorted(around)
        for other, s in zip(others, (-similarity(node, others)).tolist(), strict=True):
            beside = touching[other]
            beside.discard(a)
            beside.discard(b)
            beside.add(node)
            heapq.heappush(heap, (s, other, node))
    return np.array(found, np.int64).reshape(-1, 2)
