"""Collect the regions of several partitions and trees over the same superpixels, without duplicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wsstool.proposals.limit import limited
from wsstool.proposals.superpixels import LARGEST_NUMBER, enlarged
from wsstool.regions import Proposals


@dataclass(frozen=True)
class Regions:
    """Unions of superpixels and how each is composed.

    Args:
        labels: (H, W) int superpixels, 0 to S - 1.
        children: (K, 2) int64, earlier regions. The first S regions are the superpixels, with themselves.
        members: (K, S) bool.
        proposed: (K,) bool; the other regions are only parts of these.
    """

    labels: np.ndarray
    children: np.ndarray
    members: np.ndarray
    proposed: np.ndarray

    def __len__(self) -> int:
        return len(self.children)

    def ranked(self, score: np.ndarray, size: tuple[int, int]) -> Proposals:
        """Return the regions as proposals, sorted by falling score (K,); ties: the earlier region first.

        Args:
            score: any real numbers.
            size: rows and columns of the image, if the labels are those of a reduced copy.
        """
        n = self.members.shape[1]
        used = self.proposed.copy()
        for k in range(len(self) - 1, n - 1, -1):
            if used[k]:
                used[self.children[k]] |= self.children[k] >= n
        order = np.argsort(-score, kind="stable")
        order = order[used[order]]
        name = np.arange(len(self))
        name[order[order >= n]] = n + np.flatnonzero(order >= n)
        rows = np.column_stack([name[self.children], self.proposed])[order]
        found = Proposals(enlarged(self.labels, size).astype(np.uint16), rows)
        return limited(found, LARGEST_NUMBER)[0]


def regions(labels: np.ndarray, grown: Sequence[tuple[np.ndarray, np.ndarray]]) -> Regions:
    """Collect the regions of each partition and the nodes of the tree on it, without duplicates.

    Args:
        labels: (H, W) int superpixels, S of them.
        grown: for each partition the (S,) region number of each superpixel, from 0 without gaps, and the
            (M, 2) merges of these regions, see ``merging.merge_tree``.
    """
    n = int(labels.max()) + 1
    members = list(np.eye(n, dtype=bool))
    children = [(s, s) for s in range(n)]
    known = {row.tobytes(): i for i, row in enumerate(members)}

    def joined(left: int, right: int) -> int:
        row = members[left] | members[right]
        at = known.setdefault(row.tobytes(), len(members))
        if at == len(members):
            members.append(row)
            children.append((left, right))
        return at

    named: set[int] = set()
    for partition, merges in grown:
        order = np.argsort(partition, kind="stable")
        ends = np.cumsum(np.bincount(partition))[:-1]
        number = [folded(part.tolist(), joined) for part in np.split(order, ends)]
        for a, b in merges.tolist():
            number.append(joined(number[a], number[b]))
        named.update(number)
    proposed = np.zeros(len(members), bool)
    proposed[sorted(named)] = True
    return Regions(labels, np.array(children, np.int64), np.array(members), proposed)


def folded(parts: list[int], joined: Callable[[int, int], int]) -> int:
    """Join all parts, two neighbours at a time, so that the tree stays flat; return the number of the last.

    >>> folded([1, 2, 3], lambda a, b: 10 * a + b)
    123
    """
    while len(parts) > 1:
        pairs = [joined(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0]
