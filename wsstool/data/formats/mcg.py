"""Proposals of MCG and related methods: a superpixel map and sets of its numbers, in MATLAB files.

Source: Arbelaez et al., CVPR 2014; the layout of the published ``.mat`` files (``superpixels``, ``labels``,
``scores``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.errors import BadInputError

WANTED = ("superpixels", "labels", "scores")
"""The variables that are read; if ``scores`` is missing, the order is the ranking."""


def read(path: Path) -> dict[str, Any] | None:
    """Read the variables of a ``.mat`` file up to version 7; None for version 7.3, which is HDF5.

    Returns:
        ``superpixels`` (H, W); ``labels``: a sequence of sequences of numbers; ``scores`` if present.
    Raises:
        BadInputError: not a MATLAB file, or damaged.
    """
    from scipy.io import loadmat

    try:
        with open(path, "rb") as file:
            if file.read(10) == b"MATLAB 7.3":
                return None
        found = loadmat(str(path), variable_names=list(WANTED))
    except Exception as error:  # scipy raises anything on damaged bytes
        raise BadInputError(f"'{path}' is not a readable MATLAB file ({error})") from None
    found = {name: found[name] for name in WANTED if name in found}
    if "labels" in found:
        found["labels"] = [np.asarray(one).reshape(-1) for one in np.asarray(found["labels"]).reshape(-1)]
    return found


def sets(found: Mapping[str, Any], source: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the superpixels and sets of an image.

    Args:
        found: variables from ``read``.
        source: for messages.
        size: rows and columns of the image.

    Returns:
        (H, W) int labels from 0 without gaps, and (P, S) bool, the best first.
    Raises:
        BadInputError: a variable is missing, of another size than the image, or names a superpixel that is
            not in the map.
    """
    for name in WANTED[:2]:
        if name not in found:
            raise BadInputError(f"{source} is not an MCG file: it has no variable '{name}'")
    numbers = np.asarray(found["superpixels"])
    lists: Sequence[np.ndarray] = found["labels"]
    if numbers.shape != size:
        shape = " x ".join(map(str, numbers.shape[::-1]))
        raise BadInputError(f"{source} was made for {shape} pixels, but the image has {size[1]} x {size[0]}")
    there, labels = np.unique(numbers, return_inverse=True)
    members = np.zeros((len(lists), len(there)), bool)
    for row, numbers_of_one in zip(members, lists, strict=True):
        wanted = np.asarray(numbers_of_one).reshape(-1)
        at = np.searchsorted(there, wanted).clip(max=len(there) - 1)
        if not np.array_equal(there[at], wanted):
            raise BadInputError(f"{source} has a proposal with superpixels that are not in its map")
        row[at] = True
    order = np.arange(len(lists))
    if "scores" in found:
        scores = np.asarray(found["scores"], float).reshape(-1)
        if len(scores) != len(lists):
            raise BadInputError(f"{source} has {len(scores)} scores for {len(lists)} proposals")
        order = np.argsort(-scores, kind="stable")
    return labels.reshape(size), members[order]
