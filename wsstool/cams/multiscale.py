"""Class maps summed over several scales of the image and its horizontal flip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsstool.cams.gradcam import gradcam
from wsstool.cams.layercam import layercam
from wsstool.cams.result import Cams, Probabilities

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

    Large scales give detail, small ones whole objects; the sum keeps what they agree on. Where the network
    pads its input to a multiple of ``model.input_multiple`` pixels, the maps of the padding are cut off.

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
        The summed maps, (B, C, h, w) float32 per layer, and the mean of the logits; of probabilities the mean
        as well. With one scale, without ``flip`` and without padding this is the result of the method itself.

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
        passes.append(_of_the_image(method(model, scaled, targets, layers, **own), model, shape))
        if flip:
            mirrored = _of_the_image(method(model, scaled.flip(-1), targets, layers, **own), model, shape)
            passes.append(mirrored._replace(maps=tuple(m.flip(-1) for m in mirrored.maps)))
    if rectify:
        passes = [p._replace(maps=tuple(m.clamp_min(0) for m in p.maps)) for p in passes]
    logits = torch.stack([p.logits for p in passes]).mean(0)
    per_position = getattr(method, "func", method) in PER_POSITION  # stages bind settings with ``partial``
    summed = [_summed(maps, size, per_position) for maps in zip(*(p.maps for p in passes), strict=True)]
    if isinstance(passes[0], Probabilities):
        summed = [m / len(passes) for m in summed]
    return passes[0]._replace(maps=tuple(summed), logits=logits)


def _of_the_image(found: Cams, model: nn.Module, shape: tuple[int, int]) -> Cams:
    """Cut off what a network added to an image of ``shape`` on the right and below, at an equal map size."""
    multiple: int = getattr(model, "input_multiple", 1)  # type: ignore[assignment]
    shares = [n / (-(-n // multiple) * multiple) for n in shape]
    if shares == [1, 1]:
        return found
    return found._replace(maps=tuple(_cropped(m, *shares) for m in found.maps))


def _cropped(maps: Tensor, rows: float, columns: float) -> Tensor:
    """Stretch the first ``rows`` and ``columns``, shares of (B, C, h, w), over (h, w), bilinearly."""
    weights = []
    for n, share in zip(maps.shape[2:], (rows, columns), strict=True):
        place = ((torch.arange(n, device=maps.device) + 0.5) * share - 0.5).clamp_min(0)
        cells = torch.arange(n, device=maps.device)
        weights.append((1 - (place[:, None] - cells).abs()).clamp_min(0))  # (n, n), rows sum to 1
    return weights[0] @ maps @ weights[1].T


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
