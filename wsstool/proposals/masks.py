"""Masks of other programs as unions of superpixels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wsstool.proposals.limit import limited
from wsstool.proposals.superpixels import LARGEST_NUMBER, renumbered
from wsstool.proposals.trees import folded
from wsstool.regions import Proposals


def from_masks(size: tuple[int, int], masks: Iterable[np.ndarray]) -> tuple[Proposals, int]:
    """Cut the image along the outlines of all masks, so that each mask is exactly a union of pieces.

    Args:
        size: rows and columns of the image.
        masks: (H, W) bool, the best first. Empty ones and duplicates are dropped.

    Returns:
        The proposals, and how many of the worst masks were dropped because node numbers ran out.
    """
    labels, sizes = np.zeros(size, np.int64), np.array([size[0] * size[1]])
    used: list[np.ndarray] = []
    left_out = 0
    for mask in masks:
        if not mask.any():
            continue
        inside = labels[mask]
        held = np.bincount(inside, minlength=len(sizes))
        cut = np.flatnonzero((held > 0) & (held < sizes))
        if len(sizes) + len(cut) > LARGEST_NUMBER // 2:  # the other half is reserved for rows
            left_out += 1
            continue
        fresh = np.arange(len(sizes))
        fresh[cut] = len(sizes) + np.arange(len(cut))
        labels[mask] = fresh[inside]
        sizes[cut] -= held[cut]
        sizes = np.concatenate([sizes, held[cut]])
        used.append(mask)
    labels = renumbered(labels)
    members = np.zeros((len(used), int(labels.max()) + 1), bool)
    for row, mask in zip(members, used, strict=True):
        row[labels[mask]] = True
    found, dropped = from_sets(labels, members)
    return found, left_out + dropped


def from_sets(labels: np.ndarray, members: np.ndarray) -> tuple[Proposals, int]:
    """Build proposals from sets of superpixels.

    A set is assembled from the largest sets in it that exist already, then from superpixels, two at a time:
    nested sets share their rows.

    Args:
        labels: (H, W) int, 0 to S - 1.
        members: (P, S) bool, the best first. Empty sets and duplicates are dropped.

    Returns:
        The proposals, and how many of the worst were dropped because node numbers ran out.
    """
    n = members.shape[1]
    known: dict[bytes, int] = {}
    for rank, row in enumerate(members):
        if row.any():
            known.setdefault(row.tobytes(), rank)
    ranks = np.array(sorted(known.values()), np.int64)
    rows: list[tuple[int, int, int]] = [(0, 0, 1)] * len(ranks)  # the proposals first, in order

    def joined(a: int, b: int) -> int:
        rows.append((a, b, 0))
        return n + len(rows) - 1

    packed = np.packbits(members[ranks], axis=1)
    counts = members[ranks].sum(1)
    made: list[int] = []
    for at in np.argsort(counts, kind="stable").tolist():
        rest = members[ranks[at]].copy()
        parts = []
        earlier = np.array(made, np.int64)
        inside = earlier[~(packed[earlier] & ~packed[at]).any(1)] if made else earlier
        for part in inside[::-1].tolist():
            held = members[ranks[part]]
            if counts[part] > 1 and not (held & ~rest).any():
                parts.append(n + part)
                rest &= ~held
        parts += np.flatnonzero(rest).tolist()
        if len(parts) == 1:
            parts *= 2
        half = (len(parts) + 1) // 2
        rows[at] = (folded(parts[:half], joined), folded(parts[half:], joined), 1)
        made.append(at)
    nodes = np.array(rows, np.int64).reshape(-1, 3)
    return limited(Proposals(labels.astype(np.uint16), nodes), LARGEST_NUMBER)
