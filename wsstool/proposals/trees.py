"""Regions of several partitions and merge trees over the same superpixels as one list, each region once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wsstool.proposals.limit import limited
from wsstool.proposals.superpixels import LARGEST_NUMBER, enlarged
from wsstool.regions import Proposals


@dataclass(frozen=True)
class Regions:
    """Unions of superpixels and how each is put together.

    Args:
        labels: (H, W) int superpixels, 0 to S - 1.
        children: (K, 2) int64, earlier regions. The first S regions are the superpixels, with themselves.
        members: (K, S) bool.
        proposed: (K,) bool; the others only build these.
    """

    labels: np.ndarray
    children: np.ndarray
    members: np.ndarray
    proposed: np.ndarray

    def __len__(self) -> int:
        return len(self.children)

    def ranked(self, score: np.ndarray, size: tuple[int, int]) -> Proposals:
        """The regions as proposals, the highest of the (K,) scores first; of equals, the earlier region.

        Args:
            score: any real numbers.
            size: rows and columns of the image, where the labels are those of a smaller copy.
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
    """The regions of each partition and the nodes of the tree on it, unless an earlier one has them.

    Args:
        labels: (H, W) int superpixels, S of them.
        grown: for each partition the (S,) number of the region that each superpixel lies in, from 0 without
            gaps, and the (M, 2) merges of these regions, see ``merging.merge_tree``.
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
    """Join all parts, two neighbours at a time, so that the tree stays flat; the number of the last.

    >>> folded([1, 2, 3], lambda a, b: 10 * a + b)
    123
    """
    while len(parts) > 1:
        pairs = [joined(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0]
