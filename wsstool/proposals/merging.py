"""The merge tree of a partition: repeatedly merge the two most similar neighbours into one region.

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

    where box(a, b) is the area of the smallest box around both. The histogram of a union is the
    area-weighted mean of its parts. Ties go to the pair with the lower numbers.

    Args:
        pairs: (E, 2) int, superpixels that touch.
        areas: (S,) pixels of the superpixels.
        boxes: (S, 4) xyxy around them, x1 and y1 exclusive.
        histograms: (S, D), colour and texture concatenated, each times its weight.
        size, fill: weights of the two other terms.

    Returns:
        (M, 2) int64, row m names the two nodes that became node S + m; M is S - 1 if all are connected.
    """
    n, total = len(areas), float(areas.sum())
    bins = histograms.shape[1]
    ones = np.ones(bins)
    # Row: the histogram, then x0, y0, -x1, -y1, so that one minimum both compares and joins the boxes.
    table = np.empty((2 * n - 1, bins + 4))
    table[:n, :bins] = histograms
    table[:n, bins:] = boxes * [1, 1, -1, -1]
    area: list[float] = [float(value) for value in areas]

    def distance(one: np.ndarray, others: np.ndarray, both: np.ndarray | None) -> list[float]:
        """Return -similarity without its constant part, size + fill, which is the same for all pairs."""
        common = np.minimum(one, others)
        extent = (common[:, -4] + common[:, -2]) * (common[:, -3] + common[:, -1])
        alike = common[:, :bins] @ ones
        alike -= (fill / total) * extent
        if both is not None:
            alike += ((fill - size) / total) * both
        return (-alike).tolist()

    touching: list[set[int]] = [set() for _ in range(n)]
    for a, b in pairs.tolist():
        touching[a].add(b)
        touching[b].add(a)
    sizes = areas[pairs[:, 0]] + areas[pairs[:, 1]] if fill != size else None
    first = distance(table[pairs[:, 0]], table[pairs[:, 1]], sizes)
    # Similarities never change, pairs only vanish: each node keeps its own queue; only its best is shared.
    start = sorted(zip(first, pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True), reverse=True)
    own: list[list[tuple[float, int]]] = []
    heap: list[tuple[float, int, int]] = []
    merged = bytearray(2 * n - 1)
    found: list[tuple[int, int]] = []
    while True:
        while start and (merged[start[-1][1]] or merged[start[-1][2]]):
            start.pop()
        if start and not (heap and heap[0] < start[-1]):
            _, a, b = start.pop()
        elif heap:
            _, a, b = heapq.heappop(heap)
            if merged[b]:
                continue
            if merged[a]:
                _offer(heap, own[b - n], b, merged)
                continue
        else:
            return np.array(found, np.int64).reshape(-1, 2)
        node = n + len(found)
        found.append((a, b))
        merged[a] = merged[b] = 1
        both = area[a] + area[b]
        area.append(both)
        row = table[node]
        np.minimum(table[a], table[b], out=row)
        row[:bins] = (area[a] / both) * table[a, :bins] + (area[b] / both) * table[b, :bins]
        around = touching[a] | touching[b]
        around -= {a, b}
        touching.append(around)
        own.append([])
        if not around:
            continue
        others = sorted(around)
        sums = np.array([both + area[other] for other in others]) if fill != size else None
        own[-1] = list(zip(distance(row, table[others], sums), others, strict=True))
        heapq.heapify(own[-1])
        _offer(heap, own[-1], node, merged)
        for other in others:
            beside = touching[other]
            beside.discard(a)
            beside.discard(b)
            beside.add(node)


def _offer(
    heap: list[tuple[float, int, int]], own: list[tuple[float, int]], node: int, merged: bytearray
) -> None:
    """Push the best pair of a node whose other part still exists onto the queue of all nodes."""
    while own:
        value, other = heapq.heappop(own)
        if not merged[other]:
            heapq.heappush(heap, (value, other, node))
            return
