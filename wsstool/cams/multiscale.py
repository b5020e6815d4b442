"""Class maps summed over several scales of the image and its horizontal flip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsstool.cams.gradcam import gradcam
from wsstool.cams.layercam import layercam
from wsstool.cams.result import Cams

PER_POSITION = (gradcam, layercam)
"""Methods whose maps are gradients of a mean: they shrink as 1 / (h * w) when the image grows."""


def multiscale(
    method: Callable[..., Cams],
    model: nn.Module,
    x: Tensor,
    targets: Tensor,
    layers: Sequence[str] = (),
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    rectify: bool = False,
    size: tuple[int, int] | None = None,
    **own: Any,
) -> Cams:
    """Run ``method`` on resized and flipped copies of ``x`` and sum the maps on a common grid.

    Large scales give detail, small ones whole objects; the sum keeps what they agree on.

    Args:
        method: a function of the cams family.
        model: see the method.
        x: (B, 3, H, W) float.
        targets: (B, C) bool.
        layers: see the method.
        scales: factors of the image size, > 0; (1.0,) is the image as it is.
        flip: also use the horizontal flip at each scale.
        rectify: sum the positive part of each pass: evidence at one scale is not cancelled by its absence
            at another.
        size: (rows, columns) of the common grid of all layers; None: for each layer, the grid of the
            largest scale.
        own: options of the method.

    Returns:
        The summed maps, (B, C, h, w) float32 per layer, and the mean of the logits. With one scale and
        without ``flip`` this is the result of the method itself.

    Raises:
        ValueError: no scale, or one that is not positive.

    Notes:
        Resizing is bilinear with half-pixel centres. Maps of the methods in ``PER_POSITION`` are weighted by
        their area relative to the largest, so that all scales count equally, as they do for CAM.

    Source:
        Common practice of weakly supervised segmentation; Ahn and Kwak, CVPR 2018, section 5.1.
    """
    if not scales or min(scales) <= 0:
        raise ValueError(f"give scales above 0, at least one, not {tuple(scales)}")
    rows, columns = x.shape[2:]
    passes = []
    for scale in sorted(scales, reverse=True):
        shape = max(1, round(rows * scale)), max(1, round(columns * scale))
        scaled = (
            x if shape == (rows, columns) else F.interpolate(x, shape, mode="bilinear", align_corners=False)
        )
        found = method(model, scaled, targets, layers, **own)
        passes.append(found)
        if flip:
            mirrored = method(model, scaled.flip(-1), targets, layers, **own)
            passes.append(Cams(tuple(m.flip(-1) for m in mirrored.maps), mirrored.logits))
    if rectify:
        passes = [Cams(tuple(m.clamp_min(0) for m in p.maps), p.logits) for p in passes]
    logits = torch.stack([p.logits for p in passes]).mean(0)
    summed = [
        _summed(maps, size, method in PER_POSITION) for maps in zip(*(p.maps for p in passes), strict=True)
    ]
    return Cams(tuple(summed), logits)


def _summed(maps: Sequence[Tensor], size: tuple[int, int] | None, per_position: bool) -> Tensor:
    """Sum the maps (B, C, h, w) of one layer, the largest first, on one grid."""
    area = maps[0][0, 0].numel()
    grid = size or tuple(maps[0].shape[2:])
    total = maps[0].new_zeros(*maps[0].shape[:2], *grid)
    for m in maps:
        weight = m[0, 0].numel() / area if per_position else 1.0
        on_grid = m if m.shape[2:] == grid else F.interpolate(m, grid, mode="bilinear", align_corners=False)
        total += weight * on_grid
    return total
