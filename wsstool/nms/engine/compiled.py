"""Inner loops of soft suppression for large islands, compiled by numba if installed (extra ``fast``).

They compute what ``stepwise`` does with arrays, number by number in the same order and precision, so that
results are equal to the last bit; decay factors are computed by numpy in both paths. Disable them with
numba's ``NUMBA_DISABLE_JIT=1`` or with ``enabled = False``. numba caches the compiled code beside this file
or in its cache folder, so that a machine compiles once and later loads it in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from wsstool.nms.shapes.boxes import Sides

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]

enabled = True
LEAST = 2048  #: smallest island for which loading the compiler pays off
_BLOCK = 48  #: neighbouring regions that are skipped together
_PAIRS = 1 << 17  #: pairs held in memory at a time


def overlapping(loops: Loops, a: Sides, b: Sides) -> Iterator[Pairs]:
    """Yield (row, column, IoU above 0) of the boxes ``a`` with ``b``, in row-major order, in chunks."""
    columns = len(b[0])
    firsts = np.arange(0, columns, _BLOCK)
    x1, y1, x2, y2, area = b
    if not columns:
        return
    blocks = (
        np.minimum.reduceat(x1, firsts),
        np.minimum.reduceat(y1, firsts),
        np.maximum.reduceat(x2, firsts),
        np.maximum.reduceat(y2, firsts),
    )
    first = 0
    while first < len(a[0]):
        row, column = (np.empty(_PAIRS + columns, np.int64) for _ in range(2))
        value = np.empty(_PAIRS + columns, x1.dtype)
        first, count = loops.overlapping(*a, x1, y1, x2, y2, area, *blocks, _BLOCK, first, row, column, value)
        yield row[:count], column[:count], value[:count]


class Loops:
    """The compiled functions."""

    def __init__(self, compile_: Callable[[Any], Any]) -> None:
        self.overlapping = compile_(_overlapping)
        self.settle = compile_(_settle)
        self.multiply = compile_(_multiply)


def loops(count: int) -> Loops | None:
    """Return the compiled loops for islands of ``count`` regions; None: too few, no numba, or disabled."""
    return _compiled() if enabled and count >= LEAST else None


@cache
def _compiled() -> Loops | None:
    try:
        numba = import_module("numba")
    except ImportError:
        return None
    if numba.config.DISABLE_JIT:
        return None
    return Loops(numba.njit(cache=True, error_model="numpy"))


def _overlapping(
    left, top, right, bottom, size, x1, y1, x2, y2, area, bx1, by1, bx2, by2, block, first, rows, columns, out
):  # type: ignore[no-untyped-def]
    count = 0
    n = len(x1)
    room = len(out)
    for r in range(first, len(left)):
        if count + n > room:
            return r, count
        for k in range(len(bx1)):
            if not (bx1[k] < right[r] and bx2[k] > left[r] and by1[k] < bottom[r] and by2[k] > top[r]):
                continue
            for c in range(k * block, min(n, (k + 1) * block)):
                if x1[c] < right[r] and x2[c] > left[r] and y1[c] < bottom[r] and y2[c] > top[r]:
                    wide = min(right[r], x2[c]) - max(left[r], x1[c])
                    high = min(bottom[r], y2[c]) - max(top[r], y1[c])
                    shared = wide * high
                    value = shared / (size[r] + area[c] - shared)
                    if value > 0:
                        rows[count], columns[count], out[count] = r, c, value
                        count += 1
    return len(left), count


def _settle(factors, best, scores, floor, least, limit, limit_place, limited, picks, got):  # type: ignore[no-untyped-def]
    count = 0
    n = len(scores)
    while True:
        k = 0
        for c in range(1, n):
            if scores[c] > scores[k]:
                k = c
        value = np.float64(scores[k])
        if value <= least:
            if value < floor or value <= 0:
                return count
            if limited and (-value > limit or (-value == limit and best[k] > limit_place)):
                return count
        picks[count], got[count] = k, scores[k]
        count += 1
        for c in range(n):
            scores[c] *= factors[k, c]


def _multiply(scores, places, factors):  # type: ignore[no-untyped-def]
    for k in range(len(places)):
        scores[places[k]] *= factors[k]
