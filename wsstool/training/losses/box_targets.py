"""Box targets of map losses: rows and columns that intersect the box, pixels inside it, valid pixels.

Every box loss is a function ``f(logits, target, **own) -> scalar``: logits (B,H,W), one object per map, and
the ``BoxTarget`` of the batch. Losses are means over valid entries, then over the batch, so that they can be
added with the same weights for any size of map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from wsstool.errors import UsageError


@dataclass(frozen=True)
class BoxTarget:
    """The boxes of a batch, one per map, on the grid of the map.

    Args:
        rows: (B,H) float32, 1 if the row intersects the box, else 0.
        columns: (B,W) the same for columns.
        rows_count: (B,H) bool, false in padding and in the border band of a loose box.
        columns_count: (B,W) bool.
        valid: (B,H,W) bool, false in padding.
        image: (B,3,H,W) float32 RGB in [0, 1] on the same grid.
        mask: (B,H,W) float32 share of the cell covered by the object, NaN if unknown; or None.
        done: completed share of the training, for terms that warm up.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    rows_count: torch.Tensor
    columns_count: torch.Tensor
    valid: torch.Tensor
    image: torch.Tensor
    mask: torch.Tensor | None = None
    done: float = 1.0

    @property
    def inside(self) -> torch.Tensor:
        """The valid pixels of the box: (B,H,W) bool."""
        return (self.rows[:, :, None] * self.columns[:, None, :] > 0) & self.valid


def check_least(option: str, value: float, least: float) -> None:
    """Raise UsageError unless the option of a loss is a finite number of at least ``least``."""
    if not least <= value < math.inf:
        raise UsageError(f"--set {option}={value:g}: give a number of at least {least:g}")


def check_slack(slack: float) -> None:
    """Raise UsageError unless the slack at both ends leaves part of the side."""
    if not 0 <= slack < 0.5:
        raise UsageError(f"--box-slack {slack:g}: give a fraction of the side in [0, 0.5)")


def box_target(
    boxes: torch.Tensor,
    images: torch.Tensor,
    extents: torch.Tensor,
    size: tuple[int, int],
    *,
    slack: float = 0.0,
    mask: torch.Tensor | None = None,
    done: float = 1.0,
    image_of: torch.Tensor | None = None,
) -> BoxTarget:
    """Build the target of a batch of crops.

    Args:
        boxes: (B,4) xyxy in pixels of the crop.
        images: (B,3,S,T) uint8 or float in [0, 255], the crops.
        extents: (B,2) rows and columns of the crop that contain image; the rest, below and to the right, is
            padding.
        size: (H, W) of the map; a cell belongs to the box if its centre does, and a box that contains no
            centre gets the nearest.
        slack: share of the box's width and height, from each side, that may be empty because the box is
            loose: rows and columns of that border band are not valid; [0, 0.5).
        mask: (B,S,T) uint8 of the crop: 1 object, 0 not, 255 unknown; or None.
        done: see ``BoxTarget``.
        image_of: (B,) int64 number of the image of each box, if several boxes share one; else box k belongs
            to image k.

    Raises:
        UsageError: ``slack`` outside its range.

    Example:
        >>> box = torch.tensor([[2.0, 0.0, 6.0, 4.0]])
        >>> target = box_target(box, torch.zeros(1, 3, 8, 8), torch.tensor([[8, 8]]), (4, 4))
        >>> target.rows.tolist(), target.columns.tolist()
        ([[1.0, 1.0, 0.0, 0.0]], [[0.0, 1.0, 1.0, 0.0]])
    """
    check_slack(slack)
    height, width = size
    view_rows, view_columns = images.shape[-2:]
    rows, rows_count = _line(boxes[:, 1::2], extents[:, 0], height, view_rows / height, slack)
    columns, columns_count = _line(boxes[:, 0::2], extents[:, 1], width, view_columns / width, slack)
    real_rows = _centres(height, view_rows, boxes) < extents[:, :1]
    real_columns = _centres(width, view_columns, boxes) < extents[:, 1:]
    small = _pooled(images.float() / 255, size)
    return BoxTarget(
        rows,
        columns,
        rows_count,
        columns_count,
        real_rows[:, :, None] & real_columns[:, None, :],
        small if image_of is None else small[image_of],
        None if mask is None else _coverage(mask, size),
        done,
    )


def _centres(cells: int, pixels: int, like: torch.Tensor) -> torch.Tensor:
    """Return the (1, cells) pixel coordinates of the cell centres."""
    return ((torch.arange(cells, device=like.device) + 0.5) * (pixels / cells))[None]


def _line(
    ends: torch.Tensor, extent: torch.Tensor, cells: int, step: float, slack: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (B, cells): whether the line of a cell intersects the box, and whether it is valid."""
    centre = (torch.arange(cells, device=ends.device) + 0.5)[None] * step
    start, end = ends[:, :1], ends[:, 1:]
    meets = (centre >= start) & (centre < end)
    nearest = (centre - (start + end) / 2).abs().argmin(1, keepdim=True)
    meets.scatter_(1, nearest, True)
    rim = slack * (end - start)
    in_rim = meets & ((centre < start + rim) | (centre >= end - rim))
    return meets.float(), ~in_rim & (centre < extent[:, None])


def _coverage(mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return (B,H,W): the object share of the known part of each cell; NaN if nothing is known."""
    known = (mask != 255).float()[:, None]
    covered = _pooled((mask == 1).float()[:, None], size)
    total = _pooled(known, size)
    return (covered / total)[:, 0]  # 0 / 0 is NaN


def _pooled(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return the means of (B,C,H,W) values over the cells of a grid."""
    return values if values.shape[2:] == size else F.adaptive_avg_pool2d(values, size)


def mean_counted(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Return the (B,) mean of (B,...) values where ``counts``; 0 if it is false everywhere."""
    kept = torch.where(counts, values, values.new_zeros(())).flatten(1).sum(1)
    return kept / counts.flatten(1).sum(1).clamp(min=1)
