"""Convert masks to polygons along pixel edges, and polygons to masks like the COCO tools.

Coordinates are pixels with the corner of the image as (0, 0): the pixel in row r and column c is the square
from (c, r) to (c + 1, r + 1). Polygons of a mask run along the edges of its pixels, so that filling them
restores the mask, in COCO's tools as here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_STEPS = 5
"""COCO's tools draw outlines in fifths of a pixel."""


@dataclass(frozen=True)
class Ring:
    """One closed outline of a mask.

    Args:
        points: (V, 2) int64 x and y of the corners, beginning with the leftmost of the topmost; outer rings
            run clockwise on screen, holes counter-clockwise.
        is_hole: whether the ring surrounds a hole.
    """

    points: np.ndarray
    is_hole: bool


@dataclass(frozen=True)
class Part:
    """Pixels of a mask that are connected along edges.

    Args:
        outline: (V, 2) int64 x and y, clockwise on screen; no corner occurs twice.
        holes: outlines of its holes, counter-clockwise, likewise; they touch it and each other at corners
            at most.
    """

    outline: np.ndarray
    holes: tuple[np.ndarray, ...] = ()


def outlines(mask: np.ndarray) -> list[Ring]:
    """Return all outlines of a mask, outer ones and holes, in order of their first corners.

    Pixels of the object that touch only at a corner belong to different parts; such pixels of a hole are one
    hole.

    Args:
        mask: (H, W), non-zero inside the object.

    Notes:
        In a row of pixel corners the corners of the outline come in pairs joined by an edge; likewise in a
        column. Following one edge along the row and the next along the column closes every ring.

    Example:
        >>> [ring.points.tolist() for ring in outlines(np.array([[0, 1], [0, 1]]))]
        [[[1, 0], [2, 0], [2, 2], [1, 2]]]
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    filled = upper_left.astype(np.int8) + upper_right + lower_left + lower_right
    crossing = (filled == 2) & (upper_left == lower_right)  # two pixels that touch here and nowhere else
    y, x = np.nonzero((filled % 2 == 1) | crossing)
    twice = crossing[y, x]
    # A crossing is a corner of two rings: its first copy has the edge to the left, its second to the right.
    y, x = np.repeat(y, 1 + twice), np.repeat(x, 1 + twice)
    second = np.zeros(len(y), bool)
    second[1:] = (y[1:] == y[:-1]) & (x[1:] == x[:-1])
    along_row = _partners(np.lexsort((second, x, y)))
    down_first = second ^ (crossing[y, x] & upper_right[y, x])  # which copy has the edge that goes down
    along_column = _partners(np.lexsort((down_first, y, x)))
    left, points = set(range(len(y))), np.stack([x, y], 1).astype(np.int64)
    rings = []
    for start in range(len(y)):
        if start not in left:
            continue
        ring, at = [], start
        while at in left:
            other = int(along_row[at])
            ring += [at, other]
            left -= {at, other}
            at = int(along_column[other])
        is_hole = not lower_right[y[start], x[start]]
        order = [ring[0], *ring[:0:-1]] if is_hole else ring
        rings.append(Ring(points[order], is_hole))
    return rings


def _partners(order: np.ndarray) -> np.ndarray:
    """Return the partner of each corner when neighbours in ``order`` are joined in pairs."""
    partners = np.empty(len(order), np.int64)
    partners[order[0::2]], partners[order[1::2]] = order[1::2], order[0::2]
    return partners


def polygons(mask: np.ndarray) -> list[np.ndarray]:
    """Return the parts of a mask as polygons without holes, (V, 2) int64 x and y each.

    COCO, CVAT, Label Studio and YOLO do not support holes. A hole is joined by a cut of zero width that goes
    straight up from its first corner, and the polygon runs along it twice; filling by parity or by winding
    restores the hole.

    Args:
        mask: (H, W), non-zero inside the object.
    """
    rings = outlines(mask)
    holes = [ring for ring in rings if ring.is_hole]
    if not holes:
        return [ring.points for ring in rings]
    filled = np.asarray(mask, bool)
    edge_at = np.full((filled.shape[0] + 1, filled.shape[1]), -1)
    edges: list[tuple[int, int]] = []  # (ring, first corner of the edge)
    for number, ring in enumerate(rings):
        following = np.roll(ring.points, -1, 0)
        for k in np.flatnonzero(ring.points[:, 1] == following[:, 1]):
            x0, x1 = sorted((ring.points[k, 0], following[k, 0]))
            edge_at[ring.points[k, 1], x0:x1] = len(edges)
            edges.append((number, int(k)))
    cuts: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for number, ring in enumerate(rings):
        if ring.is_hole:
            x, y = ring.points[0]
            empty = np.flatnonzero(~filled[:y, x])
            top = int(empty[-1]) + 1 if len(empty) else 0
            cuts.setdefault(edges[edge_at[top, x]], []).append((int(x), top, number))
    return [np.array(_with_holes(n, rings, cuts)) for n, ring in enumerate(rings) if not ring.is_hole]


def _with_holes(
    outer: int, rings: Sequence[Ring], cuts: dict[tuple[int, int], list[tuple[int, int, int]]]
) -> list[tuple[int, int]]:
    """Return the corners of a ring with all its holes, and the holes attached to those, spliced in."""
    found: list[tuple[int, int]] = []
    todo: list[tuple[int, int] | int] = [outer]  # points to write and rings to expand, the next one last
    while todo:
        item = todo.pop()
        if isinstance(item, tuple):
            found.append(item)
            continue
        corners = [(int(x), int(y)) for x, y in rings[item].points]
        steps: list[tuple[int, int] | int] = []
        for k, corner in enumerate(corners):
            steps.append(corner)
            ahead = corners[(k + 1) % len(corners)][0] > corner[0]
            for x, y, hole in sorted(cuts.get((item, k), ()), reverse=not ahead):
                steps += [(x, y), hole, (x, y)]
        if rings[item].is_hole:
            steps.append(corners[0])
        todo += reversed(steps)
    return found


def parts(mask: np.ndarray) -> list[Part]:
    """Return the parts of a mask with their holes, for formats that have holes; valid in the sense of OGC.

    Args:
        mask: (H, W), non-zero inside the object.

    Example:
        >>> found = parts(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]))
        >>> found[0].outline.tolist(), found[0].holes[0].tolist()
        ([[0, 0], [3, 0], [3, 3], [0, 3]], [[1, 1], [1, 2], [2, 2], [2, 1]])
    """
    numbered, _ = ndimage.label(mask)
    shells: dict[int, np.ndarray] = {}
    holes: dict[int, list[np.ndarray]] = {}
    for ring in outlines(mask):
        for loop in _simple_loops(ring.points):
            following = np.roll(loop, -1, 0)
            k = np.flatnonzero(loop[:, 1] == following[:, 1])[0]  # the object is on the right of this edge
            (x, y), ahead = loop[k], following[k, 0]
            number = int(numbered[y, x] if ahead > x else numbered[y - 1, ahead])
            doubled_area = (loop[:, 0] * following[:, 1] - following[:, 0] * loop[:, 1]).sum()
            if doubled_area > 0:
                shells[number] = loop
            else:
                holes.setdefault(number, []).append(loop)
    return [Part(shell, tuple(holes.get(number, ()))) for number, shell in shells.items()]


def _simple_loops(points: np.ndarray) -> Iterator[np.ndarray]:
    """Divide a ring where it touches itself."""
    path: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for corner in map(tuple, points.tolist()):
        if corner in place:
            first = place[corner]
            yield np.array(path[first:])
            for left in path[first + 1 :]:
                del place[left]
            del path[first + 1 :]
        else:
            place[corner] = len(path)
            path.append(corner)
    yield np.array(path)


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Join several polygons into one by lines of zero width, for formats with one polygon per object.

    Args:
        parts: polygons from ``polygons``, at least one; they touch at corners at most.

    Returns:
        (V, 2): every part from its first corner around, then back along the lines.
    """
    walked = [np.concatenate([part, part[:1]]) for part in parts]
    back = [part[:1] for part in reversed(parts[:-1])]
    return np.concatenate([*walked, *back]) if len(parts) > 1 else parts[0]


def fill(parts: Iterable[np.ndarray], size: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Fill the polygons of an object: the union of the pixels given by COCO's tools, (H, W) bool.

    Corners are rounded to fifths of a pixel and the outline is drawn in these steps. In each column of pixels
    the rows between the first and second crossing of the column's middle are inside, and so on by parity: a
    pixel belongs to a polygon if its centre does, up to that rounding.

    Args:
        parts: (V, 2) x and y of the corners of each polygon, pixels; the part outside the image is cut off.
        size: rows and columns of the mask.
        corner: column and row of the image where the mask begins, for the mask of a window.

    Source: the rule of the COCO API (Lin and Dollár), expressed in numpy; pycocotools is the tests' oracle.
    """
    rows, columns = size
    mask = np.zeros((columns, rows), bool)
    for part in parts:
        corners = np.trunc(_STEPS * np.asarray(part, np.float64).reshape(-1, 2) + 0.5).astype(np.int64)
        u, v = _walk(corners - _STEPS * np.array(corner))
        moved = np.flatnonzero(u[1:] != u[:-1])
        column, row = np.minimum(u[moved], u[moved + 1]), np.minimum(v[moved], v[moved + 1])
        crossing = (column % _STEPS == _STEPS // 2) & (column >= 0) & (column < _STEPS * columns)
        column = column[crossing] // _STEPS
        row = np.clip(-((_STEPS // 2 - row[crossing]) // _STEPS), 0, rows)
        if len(row):
            left, top, wide, high = column.min(), row.min(), np.ptp(column) + 1, np.ptp(row) + 1
            turns = np.bincount((column - left) * high + row - top, minlength=wide * high).reshape(wide, high)
            mask[left : left + wide, top : top + high - 1] |= np.cumsum(turns[:, :-1], axis=1) % 2 == 1
    return mask.T


def _walk(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a closed outline, one per step on the longer axis of each edge, with both ends."""
    start, end = corners, np.roll(corners, -1, 0)
    distance = np.abs(end - start)
    flat = distance[:, 0] >= distance[:, 1]
    length = distance.max(1)
    # Edges are drawn from their left or upper end, so that they are the same in both directions.
    long_axis = np.where(flat, 0, 1)
    pick = np.arange(len(corners))
    turned = start[pick, long_axis] > end[pick, long_axis]
    low, high = np.where(turned[:, None], end, start), np.where(turned[:, None], start, end)
    slope = (high - low)[pick, 1 - long_axis] / np.maximum(length, 1)
    edge = np.repeat(pick, length + 1)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(length + 1) - (length + 1), length + 1)
    step = np.where(turned[edge], length[edge] - step, step)
    along = step + low[edge, long_axis[edge]]
    across = np.trunc(low[edge, 1 - long_axis[edge]] + slope[edge] * step + 0.5).astype(np.int64)
    return np.where(flat[edge], along, across), np.where(flat[edge], across, along)
