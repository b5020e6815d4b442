"""COCO's run lengths: column-major runs of 0 and 1, as a list of counts or packed into a string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsstool.data.images import MAX_PIXELS
from wsstool.errors import BadInputError

_BITS, _MORE, _SIGN, _FIRST = 5, 0x20, 0x10, 48
_LONGEST = 60
"""Bits of a packed number; a text of a megabyte may claim to be a single one."""


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Encode a mask as run lengths, ``{"size": [H, W], "counts": [...]}`` with counts as integers.

    Args:
        mask: (H, W), non-zero inside the object.

    >>> encode(np.array([[0, 1], [1, 1]]))
    {'size': [2, 2], 'counts': [1, 3]}
    """
    flat = np.asarray(mask, bool).T.reshape(-1)
    turns = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], turns, [flat.size]]))
    if flat.size and flat[0]:
        counts = np.concatenate([[0], counts])
    return {"size": [int(n) for n in mask.shape], "counts": [int(n) for n in counts]}


def decode(rle: Mapping[str, Any]) -> np.ndarray:
    """Decode run lengths, with counts as integers or as COCO's string, to an (H, W) bool mask.

    Raises:
        BadInputError: see ``lengths``.
    """
    (rows, columns), runs = lengths(rle)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(columns, rows).T


def lengths(rle: Mapping[str, Any]) -> tuple[tuple[int, int], np.ndarray]:
    """Return (rows, columns) of run lengths and the (R,) int64 counts, alternately of 0 and 1, 0 first.

    Raises:
        BadInputError: no size or counts, a size above ``MAX_PIXELS``, invalid counts, or counts that do not
            fill the size.

    >>> lengths({"size": [2, 2], "counts": "13"})
    ((2, 2), array([1, 3]))
    """
    try:
        rows, columns = (int(n) for n in rle["size"])
        counts = rle["counts"]
        if isinstance(counts, (str, bytes)):
            counts = unpack(counts)
        runs = np.asarray(counts, np.int64).reshape(-1)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInputError(f"the run lengths cannot be read ({error})") from None
    if rows < 0 or columns < 0 or rows * columns > MAX_PIXELS:
        raise BadInputError(f"the run lengths claim an image of {columns} x {rows} pixels")
    # Each run is checked before the sum, which would wrap around.
    if (runs < 0).any() or (runs > rows * columns).any() or runs.sum() != rows * columns:
        raise BadInputError(f"the run lengths do not fill {columns} x {rows} pixels")
    return (rows, columns), runs


def pack(counts: Sequence[int]) -> str:
    """Pack counts into COCO's string: five bits per character, from the third on as difference to two before.

    >>> pack([1, 3]), unpack("13")
    ('13', [1, 3])
    """
    letters = []
    for i, count in enumerate(counts):
        value = int(count) - (int(counts[i - 2]) if i > 2 else 0)
        more = True
        while more:
            bits = value & 0x1F
            value >>= _BITS
            more = value != (-1 if bits & _SIGN else 0)
            letters.append(chr((bits | (_MORE if more else 0)) + _FIRST))
    return "".join(letters)


def unpack(text: str | bytes) -> list[int]:
    """Unpack the counts in COCO's string.

    Raises:
        ValueError: an invalid character, a text that ends within a number, or a number of more than 60 bits.
    """
    letters = text.encode("ascii") if isinstance(text, str) else text
    counts: list[int] = []
    value = shift = 0
    for letter in letters:
        bits = letter - _FIRST
        if not 0 <= bits < 64:
            raise ValueError(f"invalid character {chr(letter)!r}")
        if shift >= _LONGEST:
            raise ValueError("a number is longer than any image")
        value |= (bits & 0x1F) << shift
        shift += _BITS
        if not bits & _MORE:
            if bits & _SIGN:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("they end within a number")
    return counts
