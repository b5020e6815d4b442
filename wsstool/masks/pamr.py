"""Pixel-adaptive mask refinement (PAMR): average scores over neighbours of similar colour."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsstool.errors import UsageError
from wsstool.family import option_text
from wsstool.masks.inputs import checked, writable


def pamr(
    scores: np.ndarray,
    image: np.ndarray,
    *,
    steps: int = 10,
    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
    sharpness: float = 10.0,
) -> np.ndarray:
    """Sharpen score maps along the edges of the image by repeated local averages.

    Each pixel is compared with its 8 neighbours at every dilation. The affinity is
    k_ij = -sharpness x mean over colours of |I_i - I_j| / sigma_i, where sigma_i is the standard deviation of
    the colours in that neighbourhood; a softmax over all neighbours gives the weights a_ij; then
    m_i <- sum_j a_ij m_j, ``steps`` times.

    Args:
        scores: (K, H, W) float32 in [0, 1].
        image: (H, W, 3) uint8 RGB.
        steps: number of averages; 0 returns the scores.
        dilations: distances in pixels.
        sharpness: 0 averages uniformly, larger follows weaker edges.

    Returns:
        (K, H, W) float32 in [0, 1], within the range of each map.

    Raises:
        UsageError: dilations that are not positive integers, a negative or infinite ``sharpness``, a
            negative number of steps.

    Notes:
        Needs 8 x dilations x H x W floats (30 MB at 320 x 480). Borders repeat the edge pixel. In a flat
        neighbourhood all weights are equal. Dividing by sigma, where the paper prints its square, keeps the
        exponent dimensionless: the result does not change with contrast.

    Source:
        Araslanov and Roth, "Single-stage semantic segmentation from image labels", CVPR 2020, pixel-adaptive
        mask refinement. Written from the paper.

    Example:
        >>> import numpy as np
        >>> out = pamr(np.ones((1, 6, 6), np.float32), np.zeros((6, 6, 3), np.uint8))
        >>> bool(np.allclose(out, 1))
        True
    """
    if not dilations or min(dilations) < 1 or max(dilations) > 1024 or not 0 <= steps <= 1000:
        typed = option_text(dilations)
        raise UsageError(
            "pamr needs dilations such as 1,2,4, none above 1024, and steps in [0, 1000], "
            f"not '{typed}' and {steps}"
        )
    if not 0 <= sharpness < math.inf:
        raise UsageError(f"pamr needs a sharpness of 0 or more, not {sharpness:g}")
    scores = checked(scores, image)
    if scores.size == 0 or steps == 0:
        return scores.copy()
    offsets = [(d * dy, d * dx) for d in dilations for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    maps = torch.from_numpy(scores)
    with torch.inference_mode():
        colours = torch.from_numpy(writable(image)).permute(2, 0, 1).float() / 255
        affinity = _affinity(colours, offsets, sharpness)
        for _ in range(steps):
            maps = _average(maps, affinity, offsets)
        return maps.clamp(0, 1).numpy()


_BLOCK = 1 << 16  # values averaged at a time: few enough to stay in the CPU cache
Offsets = list[tuple[int, int]]


def _neighbours(x: Tensor, offsets: Offsets) -> Iterator[tuple[slice, list[Tensor]]]:
    """Yield blocks of rows of x (C, H, W) with their neighbours at all offsets, views of (C, rows, W)."""
    channels, height, width = x.shape
    reach = max(dy for dy, _ in offsets)
    padded = F.pad(x[None], (reach,) * 4, mode="replicate")[0]
    count = max(1, _BLOCK // (channels * width))
    for top in range(0, height, count):
        rows = slice(top, min(top + count, height))
        corners = [(rows.start + reach + dy, rows.stop + reach + dy, reach + dx) for dy, dx in offsets]
        yield rows, [padded[:, up:down, left : left + width] for up, down, left in corners]


def _affinity(colours: Tensor, offsets: Offsets, sharpness: float) -> Tensor:
    """Return the (neighbours, H, W) weights, which sum to 1 over the neighbours."""
    count = len(offsets)
    affinity = colours.new_empty(count, *colours.shape[1:])
    for rows, neighbours in _neighbours(colours, offsets):
        centre = colours[:, rows]
        total, squares = torch.zeros_like(centre), torch.zeros_like(centre)
        for neighbour in neighbours:
            difference = neighbour - centre  # relative to the centre: no cancellation in the variance
            total += difference
            squares.addcmul_(difference, difference)
        deviation = ((squares - total * total / count).clamp_(min=0) / (count - 1)).sqrt_()
        scale = sharpness / (deviation + 1e-8)
        logits = torch.stack([((n - centre).abs_() * scale).mean(0) for n in neighbours])
        affinity[:, rows] = logits.neg_().softmax(0)
    return affinity


def _average(maps: Tensor, affinity: Tensor, offsets: Offsets) -> Tensor:
    """Compute one step: m_i <- sum_j a_ij m_j."""
    out = torch.zeros_like(maps)
    for rows, neighbours in _neighbours(maps, offsets):
        for neighbour, weight in zip(neighbours, affinity[:, rows], strict=True):
            out[:, rows].addcmul_(neighbour, weight)
    return out
