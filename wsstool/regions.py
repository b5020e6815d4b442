"""Boxes and proposals of one image: the region types shared by all packages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

_ROUNDING = 1e-3  #: pixels; tolerance for float32 rounding of box sides


def pixel_bounds(box: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the pixel range that a box touches: first column and row, and the first ones beyond it.

    Args:
        box: (4,) xyxy in pixels; sides may lie within pixels and outside the image.
        size: (H, W) of the image.
    Returns:
        (x0, y0, x1, y1) inside the image; at least one pixel for a box that intersects the image, and none
        (x0 = x1 or y0 = y1) for one that lies outside.

    >>> pixel_bounds(np.array([0.5, -3, 2, 1.2]), (4, 5))
    (0, 0, 2, 2)
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    found = []
    for low, high, end in ((x0, x1, size[1]), (y0, y1, size[0])):
        first = min(max(math.floor(low + _ROUNDING), 0), end)
        found.append((first, min(max(math.ceil(high - _ROUNDING), first + (low < end and high > 0)), end)))
    (left, right), (top, bottom) = found
    return left, top, max(left, right), max(top, bottom)


def box_mask(box: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Mark the pixels that a box touches.

    Args:
        box: (4,) xyxy in pixels; sides may lie within pixels and outside the image.
        size: (H, W) of the image.
    Returns:
        (H, W) bool.

    >>> box_mask(np.array([0.5, -3, 2, 1.2]), (3, 4)).astype(int).tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    """
    x0, y0, x1, y1 = pixel_bounds(box, (size[0], size[1]))
    inside = np.zeros(size[:2], bool)
    inside[y0:y1, x0:x1] = True
    return inside


def box_in_window(box: np.ndarray, window: Sequence[int] | np.ndarray) -> np.ndarray:
    """Move a box from pixels of the image to pixels of a window of it.

    Args:
        box: (4,) xyxy.
        window: (4,) xyxy; only its first two numbers count.
    Returns:
        (4,) xyxy, float32 if ``box`` is.

    >>> box_in_window(np.array([5, 7, 9, 8], np.float32), (2, 4, 10, 10)).tolist()
    [3.0, 3.0, 7.0, 4.0]
    """
    x0, y0 = window[0], window[1]
    return box - np.array([x0, y0, x0, y0], np.float32)


@dataclass(frozen=True)
class Boxes:
    """The boxes of one image.

    Args:
        xyxy: (B, 4) float32 pixels; x1 and y1 are the first column and row outside.
        class_ids: (B,) int64.
        ids: (B,) int64 annotation ids from the annotation file.
    """

    xyxy: np.ndarray
    class_ids: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.xyxy)


@dataclass(frozen=True)
class Proposals:
    """Class-agnostic regions of one image: unions of superpixels, kept as a merge tree.

    Args:
        superpixels: (H, W) uint16, every number from 0 to S - 1 present.
        nodes: (R, 3) uint16 rows (left, right, is_proposal), the best proposal first. A node is identified
            by a superpixel number, or by S + row; a proposal of one superpixel s is the row (s, s, 1). Rows
            with is_proposal 0 are only parts of others. No node contains itself.

    Source: hdf5-streams schema, kind ``proposal``.
    """

    superpixels: np.ndarray
    nodes: np.ndarray

    def __len__(self) -> int:
        return int((self.nodes[:, 2] == 1).sum())

    @property
    def n_superpixels(self) -> int:
        return int(self.superpixels.max()) + 1 if self.superpixels.size else 0

    @cached_property
    def _areas(self) -> np.ndarray:
        sizes = np.bincount(self.superpixels.reshape(-1), minlength=self.n_superpixels)
        return (self.members() @ sizes.astype(float)).astype(np.int64)

    def members(self) -> np.ndarray:
        """Return the superpixels of each proposal, the best proposal first: (P, S) bool.

        Computed once; the array is read-only.

        Raises:
            ValueError: a row names a node that does not exist, or the rows form a cycle.
        """
        return self._members

    @cached_property
    def _members(self) -> np.ndarray:
        count, rows = self.n_superpixels, self.nodes.astype(np.int64)
        children, wanted = rows[:, :2], rows[:, 2] == 1
        levels = _levels(children, count)
        found = np.zeros((int(wanted.sum()), count), bool)
        step = max(1, _HELD_BYTES // max(1, count + len(rows)))
        for first in range(0, count, step):  # in all nodes, so many superpixels at a time
            last = min(first + step, count)
            held = np.zeros((count + len(rows), last - first), bool)
            held[np.arange(first, last), np.arange(last - first)] = True
            for now in levels:
                held[count + now] = held[children[now, 0]] | held[children[now, 1]]
            found[:, first:last] = held[count:][wanted]
        found.setflags(write=False)
        return found


_HELD_BYTES = 2**26
"""Memory for the superpixels of all nodes while those of the proposals are computed."""


def _levels(children: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the numbers of the rows in an order in which parts precede their unions, many at a time.

    Raises:
        ValueError: a row names a node that does not exist, or the rows form a cycle.
    """
    if (children >= count + len(children)).any():
        raise ValueError("a proposal refers to a part that does not exist")
    levels = []
    open_rows = np.arange(len(children))
    known = np.arange(count + len(children)) < count
    while len(open_rows):
        ready = known[children[open_rows]].all(axis=1)
        if not ready.any():
            raise ValueError("proposals contain each other in a cycle")
        levels.append(open_rows[ready])
        known[count + levels[-1]] = True
        open_rows = open_rows[~ready]
    return levels


def proposal_areas(proposals: Proposals) -> np.ndarray:
    """Return the area of each proposal in pixels, the best proposal first: (P,) int64; computed once."""
    return proposals._areas


def proposal_boxes(proposals: Proposals) -> np.ndarray:
    """Return the bounding box of each proposal, the best proposal first: (P, 4) float32 xyxy."""
    bounds, members = superpixel_boxes(proposals.superpixels), proposals.members()
    far = max(proposals.superpixels.shape)
    found = [np.where(members, bounds[:, k], far).min(1, initial=far) for k in (0, 1)]
    found += [np.where(members, bounds[:, k], 0).max(1, initial=0) for k in (2, 3)]
    return np.stack(found, 1).astype(np.float32)


def superpixel_boxes(superpixels: np.ndarray) -> np.ndarray:
    """Return the bounding box of each superpixel: (S, 4) int64 xyxy; x1 and y1 are exclusive.

    >>> superpixel_boxes(np.array([[0, 0, 1], [0, 2, 1]])).tolist()
    [[0, 0, 2, 2], [2, 0, 3, 2], [1, 1, 2, 2]]
    """
    found = ndimage.find_objects(superpixels.astype(np.int32) + 1) if superpixels.size else []
    sides = [(x.start, y.start, x.stop, y.stop) for y, x in found]
    return np.array(sides, np.int64).reshape(-1, 4)


def in_window(values: np.ndarray, window: Sequence[int], other: Sequence[int]) -> np.ndarray:
    """Return values that are known in one window of an image as they stand in another, 0 where unknown.

    Args:
        values: (h, w), those of ``window``.
        window, other: x0, y0, x1, y1 in pixels of the image; x1 and y1 are the first outside.

    Returns:
        (H, W) float32, the size of ``other``.

    >>> in_window(np.array([[1, 2], [3, 4]]), (0, 0, 2, 2), (1, 0, 4, 2))
    array([[2., 0., 0.],
           [4., 0., 0.]], dtype=float32)
    """
    (x0, y0, x1, y1), (left, top, right, bottom) = window, other
    first, last = max(y0, top), max(y0, top, min(y1, bottom))  # rows in both windows
    start, stop = max(x0, left), max(x0, left, min(x1, right))
    found = np.zeros((bottom - top, right - left), np.float32)
    shared = values[first - y0 : last - y0, start - x0 : stop - x0]
    found[first - top : last - top, start - left : stop - left] = shared
    return found
