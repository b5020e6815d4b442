"""Check the contents of a record when it is read, so that no stage has to.

A checksum says that a file is as it was written, not that what was written makes sense. Pixels and scores are
checked with every record, proposals when a stage asks for them: their check takes longer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wsstool.store.header import Header
from wsstool.store.schema import PADDING
from wsstool.types import IGNORE

_TERNARY = np.isin(np.arange(256), (0, 1, IGNORE))


def fault(data: np.ndarray, header: Header) -> str | None:
    """Return why a record that has not failed cannot be used, as the end of a sentence; None: it can.

    Args:
        data: the record.
        header: of its file.
    """
    check = _CHECKS.get(header.payload)
    return check(data, header) if check is not None and data.size else None


def _mask(data: np.ndarray, header: Header) -> str | None:
    if header.sentences is not None:
        return _ternary(data, header)
    count = len(header.classes)
    if data.max() < count:
        return None
    strange = data[(data >= count) & (data != IGNORE)]
    return f"has class {strange[0]}, but there are {count} classes" if len(strange) else None


def _ternary(data: np.ndarray, header: Header) -> str | None:
    if data.max() <= 1 or _TERNARY[data].all():
        return None
    return f"has a pixel of value {data[~_TERNARY[data]][0]} instead of 0, 1 or {IGNORE}"


def tree_fault(superpixels: np.ndarray, nodes: np.ndarray) -> str | None:
    """Return why superpixels and rows of a ``proposal`` record are no merge tree, as the end of a sentence.

    Args:
        superpixels: (H, W) uint16.
        nodes: (P, 3) uint16, padded.
    """
    present = np.bincount(superpixels.reshape(-1))
    if not present.all():
        return f"has no superpixel {int(np.argmin(present > 0))}, but {len(present) - 1}"
    used = int((nodes[:, 2] != PADDING).sum())
    if (nodes[used:] != PADDING).any() or (nodes[:used, 2] > 1).any():
        return "has rows that are neither proposals, parts of them, nor padding"
    return _tree(nodes[:used, :2].astype(np.int64), len(present))


def _tree(children: np.ndarray, count: int) -> str | None:
    """Return what is wrong with a merge tree of (R, 2) parts over ``count`` superpixels."""
    if (children >= count + len(children)).any():
        return f"has a proposal of part {children.max()}, which does not exist"
    known = np.arange(count + len(children)) < count
    rows = np.arange(len(children))
    while len(rows):
        ready = known[children[rows]].all(axis=1)
        if not ready.any():
            return "has proposals that contain each other in a cycle"
        known[count + rows[ready]] = True
        rows = rows[~ready]
    return None


def box_fault(rows: np.ndarray, header: Header) -> str | None:
    """Return why the (R, F) rows of a ``box`` record cannot be used, as the end of a sentence."""
    names = list(header.attributes["columns"])
    if not np.isfinite(rows[:, :4]).all():
        return "has a box that is not finite"
    if "class" in names:
        ids = rows[:, names.index("class")]
        strange = ids[~((ids >= 0) & (ids < len(header.classes)) & (ids == np.floor(ids)))]
        if len(strange):
            return f"has class {strange[0]:g}, but there are {len(header.classes)} classes"
    return None


def _score(data: np.ndarray, header: Header) -> str | None:
    measure = header.attributes["measure"]
    if measure == "scores":
        wrong = not ((data >= 0) & (data <= 1)).all()
    else:
        highest = len(header.classes) - 1 if measure == "class" else np.inf
        wrong = data.min() < 0 or data.max() > highest
    return f"has values that are no {measure}" if wrong else None


_CHECKS: dict[str, Callable[[np.ndarray, Header], str | None]] = {
    "mask": _mask,
    "selection": _ternary,
    "score": _score,
}
