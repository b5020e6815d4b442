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
    area: list[float] = areas.astype(float).tolist()
    box: list[list[int]] = boxes.tolist()
    hist = np.empty((2 * n - 1, histograms.shape[1]))
    hist[:n] = histograms
    ones = np.ones(histograms.shape[1])

    def rest(a: int, b: int) -> float:
        """The terms of size and fill; plain numbers are faster than arrays of a few neighbours."""
        one, other, both = box[a], box[b], area[a] + area[b]
        x0, y0, x1, y1 = one
        u0, v0, u1, v1 = other
        width = (x1 if x1 > u1 else u1) - (x0 if x0 < u0 else u0)
        height = (y1 if y1 > v1 else v1) - (y0 if y0 < v0 else v0)
        return size * (1 - both / total) + fill * (1 - (width * height - both) / total)

    touching: list[set[int]] = [set() for _ in range(n)]
    heap: list[tuple[float, int, int]] = []
    alike = (np.minimum(hist[pairs[:, 0]], hist[pairs[:, 1]]) @ ones).tolist()
    for (a, b), s in zip(pairs.tolist(), alike, strict=True):
        touching[a].add(b)
        touching[b].add(a)
        heap.append((-s - rest(a, b), a, b))
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
        both = area[a] + area[b]
        area.append(both)
        hist[node] = (area[a] / both) * hist[a] + (area[b] / both) * hist[b]
        (x0, y0, x1, y1), (u0, v0, u1, v1) = box[a], box[b]
        box.append([min(x0, u0), min(y0, v0), max(x1, u1), max(y1, v1)])
        around = touching[a] | touching[b]
        around -= {a, b}
        touching.append(around)
        if not around:
            continue
        others = sorted(around)
        alike = (np.minimum(hist[others], hist[node]) @ ones).tolist()
        for other, s in zip(others, alike, strict=True):
            beside = touching[other]
            beside.discard(a)
            beside.discard(b)
            beside.add(node)
            heapq.heappush(heap, (-s - rest(other, node), other, node))
    return np.array(found, np.int64).reshape(-1, 2)
