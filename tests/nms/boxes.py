"""Random detections, and the slow rules that the fast ones must agree with."""

import numpy as np


def detections(seed: int = 0, n: int = 200, objects: int = 20, classes: int = 3, side: float = 200.0):
    """(boxes, scores, labels): each of ``objects`` boxes found about n / objects times; scores distinct."""
    draw = np.random.default_rng(seed)
    corner, size = draw.uniform(0, side, (objects, 2)), draw.uniform(10, 60, (objects, 2))
    of = draw.integers(0, objects, n)
    low = corner[of] + draw.normal(0, 4, (n, 2))
    high = low + size[of] * np.exp(draw.normal(0, 0.15, (n, 2)))
    scores = draw.permutation(n) / n + 0.01
    labels = draw.integers(0, classes, objects)[of]
    return np.concatenate([low, high], 1).astype(np.float32), scores.astype(np.float32), labels


def slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def slow_greedy(boxes, scores, labels, threshold) -> list[int]:
    order = sorted(range(len(scores)), key=lambda k: (-scores[k], k))
    kept: list[int] = []
    for k in order:
        if all(labels[m] != labels[k] or slow_iou(boxes[m], boxes[k]) <= threshold for m in kept):
            kept.append(k)
    return kept


def slow_soft(boxes, scores, labels, factor, floor) -> tuple[list[int], list[float]]:
    current, left = dict(enumerate(map(float, scores))), set(range(len(scores)))
    order, got = [], []
    while left:
        best = min(left, key=lambda k: (-current[k], k))
        left.discard(best)
        if current[best] < floor:
            continue
        order.append(best)
        got.append(current[best])
        for k in list(left):
            if labels[k] == labels[best]:
                current[k] *= factor(slow_iou(boxes[best], boxes[k]))
            if current[k] < floor:
                left.discard(k)
    return order, got
