"""Soft suppression of small islands in lockstep: one pick of each at a time, on dense rows of factors."""

from __future__ import annotations

import numpy as np

from wsstool.nms.engine.factor import Factor
from wsstool.nms.shapes import Shapes

Picks = tuple[np.ndarray, np.ndarray]
"""(K,) picked regions in the order of the picks within each island, and (K,) their scores when picked."""

_FACTORS = 1 << 22  #: elements of the dense rows held in memory at a time


def in_step(
    shapes: Shapes,
    chosen: np.ndarray,
    island: np.ndarray,
    count: int,
    current: np.ndarray,
    factor: Factor,
    floor: float,
    left: np.ndarray | None,
) -> list[Picks]:
    """Run the decay loop on the regions ``chosen``.

    Args:
        shapes, current, island: of all N regions; ``current``, their scores, is decayed in place, to below 0
            for picked regions.
        chosen: (M,) int64, rising, whole islands.
        count: number of islands.
        left: (N,) or None: receives the number of the pick, within its island, at which each region was
            picked or dropped.
    """
    if not len(chosen):
        return []
    own = island[chosen]
    sizes = np.bincount(own, minlength=count)
    order = np.argsort(own, kind="stable")
    place = np.empty(len(chosen), np.int64)  # index of each region within its island
    place[order] = np.arange(len(chosen)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    i, j, value = shapes.take(chosen).pairs(own, count, 0.0)
    forth, back = factor(value, chosen[i]), factor(value, chosen[j])
    parts, part, lane = _parts(sizes)
    box_part, pair_part = part[own], part[own[i]]
    found = []
    for number, (lanes, width) in enumerate(parts):
        pairs = np.flatnonzero(pair_part == number)
        members = np.flatnonzero(box_part == number)
        a, b, row = place[i[pairs]], place[j[pairs]], lane[own[i[pairs]]]
        factors = np.ones((lanes, width, width), current.dtype)
        flat = factors.reshape(-1)
        flat[(row * width + a) * width + b] = forth[pairs]
        flat[(row * width + b) * width + a] = back[pairs]
        factors[:, np.arange(width), np.arange(width)] = -1  # marks picked regions by negative scores
        at = lane[own[members]] * width + place[members]
        scores = np.full(lanes * width, -1, current.dtype)
        scores[at] = current[chosen[members]]
        owner = np.zeros(lanes * width, np.int64)
        owner[at] = chosen[members]
        gone = np.full(lanes * width, -1) if left is not None else None
        slots, got = _settle(factors, scores.reshape(lanes, width), floor, gone)
        current[chosen[members]] = scores[at]
        if left is not None and gone is not None:
            left[chosen[members]] = gone[at]
        found.append((owner[slots], got))
    return found


def _parts(sizes: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
    """Group islands of similar size: (number, width) of each part; part and lane of each island."""
    part, lane = np.zeros(len(sizes), np.int64), np.zeros(len(sizes), np.int64)
    by_size = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    falling = sizes[by_size]
    parts: list[tuple[int, int]] = []
    first = 0
    while first < len(by_size):
        width = int(falling[first])
        similar = int(np.searchsorted(-falling, -(width // 2), "right" if width < 4 else "left"))
        last = min(max(similar, first + 1), first + max(1, _FACTORS // (width * width)))
        lane[by_size[first:last]] = np.arange(last - first)
        part[by_size[first:last]] = len(parts)
        parts.append((last - first, width))
        first = last
    return parts, part, lane


def _settle(factors: np.ndarray, scores: np.ndarray, floor: float, gone: np.ndarray | None) -> Picks:
    """Pick the best of every lane until none is left; return flat indices of the picks and their scores.

    ``scores`` (G, M) is decayed in place; ``gone`` (G * M,) receives the step at which each region was picked
    or dropped.
    """
    width = scores.shape[1]
    rows = factors.reshape(-1, width)
    lanes = np.arange(len(scores)) * width
    current = scores
    picked, got = [np.zeros(0, np.int64)], [np.zeros(0, scores.dtype)]
    for step in range(width):
        slot = current.argmax(1)
        slot += lanes
        value = scores.reshape(-1)[slot] if current is scores else current.max(1)
        if not (value.min() >= floor and value.min() > 0):
            going = (value >= floor) & (value > 0)
            scores[lanes // width] = current
            if not going.any():
                break
            lanes, slot, value = lanes[going], slot[going], value[going]
            current = current[going]
        picked.append(slot)
        got.append(value)
        current *= rows[slot]
        if gone is not None:
            own = gone.reshape(-1, width)[lanes // width]
            own[(own < 0) & (current < floor)] = step
            gone.reshape(-1, width)[lanes // width] = own
    scores[lanes // width] = current
    return np.concatenate(picked), np.concatenate(got)
