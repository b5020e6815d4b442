"""Pixel-adaptive mask refinement: scores flow between neighbours of like colour, in a few local averages."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsstool.errors import UsageError
from wsstool.masks.inputs import checked


def pamr(
    scores: np.ndarray,
    image: np.ndarray,
    *,
    steps: int = 10,
    dilations: str = "1,2,4,8,12,24",
    sharpness: float = 10.0,
) -> np.ndarray:
    """Sharpen score maps along the edges of the image by local averages only.

    Each pixel looks at its 8 neighbours at every dilation. Affinity
    k_ij = -sharpness x mean over colours of |I_i - I_j| / sigma_i, sigma_i the standard deviation of the
    colours in that neighbourhood; a softmax over all neighbours makes weights a_ij; then
    m_i <- sum_j a_ij m_j, ``steps`` times.

    Args:
        scores: (K, H, W) float32 in [0, 1].
        image: (H, W, 3) uint8 RGB.
        steps: averages; 0 returns the scores.
        dilations: distances in pixels, separated by commas.
        sharpness: 0 averages blindly, larger follows weaker edges.

    Returns:
        (K, H, W) float32 in [0, 1]; an average of averages, so within the range of each map.

    Raises:
        UsageError: dilations that are not positive integers, or a negative number of steps.

    Notes:
        Needs 8 x dilations x H x W floats (30 MB at 320 x 480). Borders repeat the edge pixel. In a flat
        neighbourhood all weights are equal. Dividing by sigma, where the paper prints its square, keeps the
        exponent free of units: the result does not change with contrast.

    Source:
        Araslanov and Roth, "Single-stage semantic segmentation from image labels", CVPR 2020, pixel-adaptive
        mask refinement. Written from the paper.

    Example:
        >>> import numpy as np
        >>> out = pamr(np.ones((1, 6, 6), np.float32), np.zeros((6, 6, 3), np.uint8))
        >>> bool(np.allclose(out, 1))
        True
    """
    try:
        reach = [int(d) for d in dilations.split(",")]
    except ValueError:
        reach = []
    if not reach or min(reach) < 1 or steps < 0:
        raise UsageError(f"pamr needs dilations such as 1,2,4 and steps >= 0, not '{dilations}' and {steps}")
    scores = checked(scores, image)
    if scores.size == 0 or steps == 0:
        return scores.copy()
    maps = torch.from_numpy(scores)
    with torch.inference_mode():
        colours = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255
        affinity = _affinity(colours, reach, sharpness)
        for _ in range(steps):
            maps = _average(maps, affinity, reach)
        return maps.clamp(0, 1).numpy()


OFFSETS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx)


def _shifted(x: Tensor, dilation: int) -> list[Tensor]:
    """The 8 neighbours at one dilation as views: x (C, H, W) -> 8 of (C, H, W)."""
    height, width = x.shape[-2:]
    padded = F.pad(x[None], (dilation,) * 4, mode="replicate")[0]
    starts = [(dilation * (1 + dy), dilation * (1 + dx)) for dy, dx in OFFSETS]
    return [padded[:, top : top + height, left : left + width] for top, left in starts]


def _affinity(colours: Tensor, reach: list[int], sharpness: float) -> Tensor:
    """(8 * D, H, W) weights that sum to 1 over the neighbours."""
    count = 8 * len(reach)
    total, squares = torch.zeros_like(colours), torch.zeros_like(colours)
    for d in reach:
        for neighbour in _shifted(colours, d):
            difference = neighbour - colours  # against the centre: no cancellation in the variance
            total += difference
            squares += difference * difference
    deviation = ((squares - total * total / count).clamp_(min=0) / (count - 1)).sqrt_()
    scale = sharpness / (deviation + 1e-8)
    logits = [-((n - colours).abs() * scale).mean(0) for d in reach for n in _shifted(colours, d)]
    return torch.stack(logits).softmax(0)


def _average(maps: Tensor, affinity: Tensor, reach: list[int]) -> Tensor:
    """One step, label by label: m_i <- sum_j a_ij m_j."""
    out = torch.zeros_like(maps)
    weights = iter(affinity)
    for d in reach:
        for neighbour in _shifted(maps, d):
            out.addcmul_(neighbour, next(weights))
    return out
