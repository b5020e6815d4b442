"""Convert arrays of any library into validated regions: types, checks, groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from wsstool.data.geometry.rle import decode
from wsstool.nms.shapes import AxisAligned, Shapes
from wsstool.nms.shapes.masks import Pixels, Sets
from wsstool.nms.shapes.rotated_boxes import Rotated
from wsstool.regions import Proposals


def as_numpy(value: Any, what: str) -> np.ndarray:
    """Return an array, nested lists, or a tensor on any device as a numpy array.

    Raises:
        ValueError: nested lists of different lengths.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if not value.dtype.is_floating_point or str(value.dtype) in ("torch.float32", "torch.float64"):
            return value.numpy()
        return value.float().numpy()
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{what}: the rows have different lengths") from None


def as_floats(value: Any, what: str) -> np.ndarray:
    """Return float16 and float32 as float32, all other numbers as float64.

    Raises:
        ValueError: not numeric.
    """
    array = as_numpy(value, what)
    if array.dtype.kind not in "fiub" and array.size:
        raise ValueError(f"{what} must be numbers, not {array.dtype}")
    if array.dtype == np.float32:
        return array
    return array.astype(np.float32 if array.dtype == np.float16 else np.float64)


def like(value: np.ndarray, example: Any) -> Any:
    """Return ``value`` as a tensor on the device of ``example`` if that is a tensor."""
    if not hasattr(example, "detach"):
        return value
    import torch

    return torch.from_numpy(np.ascontiguousarray(value)).to(example.device)


def shapes_of(boxes: Any, measure: str, plus_one: bool) -> tuple[Shapes, np.ndarray, np.ndarray, bool]:
    """Return shapes, their representation in the result, which rows are valid, whether they can be averaged.

    Raises:
        ValueError: neither boxes nor masks.
    """
    masks = isinstance(boxes, Proposals) or (
        isinstance(boxes, list | tuple) and len(boxes) and isinstance(boxes[0], dict)
    )
    if masks or getattr(boxes, "ndim", 0) == 3:
        if plus_one:
            raise ValueError("plus_one applies to boxes, not to masks")
        if isinstance(boxes, Proposals):
            sets = Sets.of_proposals(boxes, measure)
            return sets, np.arange(len(sets)), np.ones(len(sets), bool), False
        stack = np.stack([decode(one) for one in boxes]) if masks else as_numpy(boxes, "boxes").astype(bool)
        return Pixels(stack, measure), np.arange(len(stack)), np.ones(len(stack), bool), False
    array = as_floats(boxes, "boxes")
    if array.size == 0 and array.ndim < 2:
        array = array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise ValueError(
            f"boxes of shape {array.shape}: give (N, 4) x1 y1 x2 y2, (N, 5) centre, width, height, angle, "
            "or (N, H, W) masks"
        )
    sound = np.isfinite(array).all(1)
    if array.shape[1] == 5:
        if plus_one:
            raise ValueError("plus_one applies to axis-aligned boxes only")
        sound &= (array[:, 2] >= 0) & (array[:, 3] >= 0)
        return Rotated(np.where(sound[:, None], array, 0), measure), array, sound, False
    sound &= (array[:, 2] >= array[:, 0]) & (array[:, 3] >= array[:, 1])
    safe = array if sound.all() else np.where(sound[:, None], array, array.dtype.type(0))
    return AxisAligned(safe, measure, plus_one), array, sound, True


def codes(columns: list[np.ndarray], n: int) -> tuple[np.ndarray, int]:
    """Return the (N,) int64 group of each item from 0, and their number: equal rows share a group."""
    found, count = np.zeros(n, np.int64), 1
    for column in columns:
        code, own = _coded(column)
        found, count = found * own + code, count * own
        if count > 4 * n + 1024:
            values, found = np.unique(found, return_inverse=True)
            count = max(1, len(values))
    return found, count


def _coded(column: np.ndarray) -> tuple[np.ndarray, int]:
    n = len(column)
    if not n:
        return np.zeros(0, np.int64), 1
    if column.dtype.kind in "iub":
        low, high = int(column.min()), int(column.max())
        if low >= 0 and high < 4 * n + 1024:
            return column.astype(np.int64), high + 1
    values, found = np.unique(column, return_inverse=True)
    return found.reshape(-1), len(values)
