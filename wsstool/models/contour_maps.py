"""Object maps from a contour network, averaged over box windows of several margins and horizontal flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from wsstool.models.classifier import normalise
from wsstool.models.contour import ContourNet

Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class ObjectCrop:
    """One crop for the network, and its position in the image.

    Args:
        image: (S,S,3) uint8.
        extent: rows and columns of it that contain image, the rest being padding.
        window: x0, y0, x1, y1 that the crop covers.
        class_id: class of the object.
    """

    image: np.ndarray
    extent: tuple[int, int]
    window: Window
    class_id: int


def mirrored(view: ObjectCrop) -> ObjectCrop:
    """Flip a crop horizontally, with the padding still at the right."""
    image = view.image.copy()
    image[:, : view.extent[1]] = view.image[:, : view.extent[1]][:, ::-1]
    return replace(view, image=image)


@torch.inference_mode()
def view_maps(
    network: ContourNet,
    views: Sequence[ObjectCrop],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    flip: bool = False,
    batch_size: int = 16,
) -> list[np.ndarray]:
    """Return the map of each crop, at the size of its window.

    Args:
        network: in eval mode.
        views: of equal size.
        mean, std: of the colours.
        flip: average with the horizontal flips.
        batch_size: crops per pass.

    Returns:
        (y1 - y0, x1 - x0) float32 each, 0 to 1.
    """
    found = []
    for start in range(0, len(views), batch_size):
        batch = views[start : start + batch_size]
        maps = _maps(network, batch, mean, std)
        if flip:
            others = _maps(network, [mirrored(view) for view in batch], mean, std)
            maps = [(one + other[:, ::-1]) / 2 for one, other in zip(maps, others, strict=True)]
        found += maps
    return found


def _maps(
    network: ContourNet, views: Sequence[ObjectCrop], mean: Sequence[float], std: Sequence[float]
) -> list[np.ndarray]:
    device = next(network.parameters()).device
    batch = torch.from_numpy(np.stack([view.image for view in views])).movedim(-1, 1).to(device)
    condition = torch.tensor([view.class_id for view in views], device=device)
    maps = network(normalise(batch, list(mean), list(std)), condition).sigmoid()  # (B,h,w)
    size = batch.shape[-2:]
    found = []
    for one, view in zip(maps, views, strict=True):
        rows, columns = view.window[3] - view.window[1], view.window[2] - view.window[0]
        whole = one[None, None]
        if view.extent != tuple(size):  # cut the padding off, at the size of the crop
            whole = F.interpolate(whole, size=size, mode="bilinear", align_corners=False)
            whole = whole[..., : view.extent[0], : view.extent[1]]
        shrinks = rows < whole.shape[-2] or columns < whole.shape[-1]
        resized = F.interpolate(
            whole, size=(rows, columns), mode="bilinear", align_corners=False, antialias=shrinks
        )
        found.append(resized[0, 0].float().cpu().numpy())
    return found


def joined(maps: Sequence[np.ndarray], windows: Sequence[Window], into: Window) -> np.ndarray:
    """Average several maps of one object on the window ``into``; each counts where it has values.

    Args:
        maps: each of the size of its window.
        windows: x0, y0, x1, y1; one of them covers ``into``.
        into: the target window.

    Example:
        >>> joined([np.ones((1, 3)), np.zeros((1, 1))], [(0, 0, 3, 1), (1, 0, 2, 1)], (0, 0, 3, 1)).tolist()
        [[1.0, 0.5, 1.0]]
    """
    x0, y0, x1, y1 = into
    total, seen = np.zeros((y1 - y0, x1 - x0)), np.zeros((y1 - y0, x1 - x0))
    for one, (left, top, right, bottom) in zip(maps, windows, strict=True):
        ax, ay, bx, by = max(left, x0), max(top, y0), min(right, x1), min(bottom, y1)
        if ax < bx and ay < by:
            place = (slice(ay - y0, by - y0), slice(ax - x0, bx - x0))
            total[place] += one[ay - top : by - top, ax - left : bx - left]
            seen[place] += 1
    return total / np.maximum(seen, 1)
