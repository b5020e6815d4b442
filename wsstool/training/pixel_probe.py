"""Fit a linear segmenter: logistic regression on the feature cells of a frozen backbone, a convex problem.

Pseudo-masks are wrong in many pixels. A deep head eventually fits those errors; a linear one with a strong
penalty cannot, since the same features mean the same thing in every image, so that what is right in most
images outvotes what is wrong in some. It is therefore better than the masks on which it is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wsstool.models.heads import LinearHead
from wsstool.models.heads.plain import Segmenter
from wsstool.training.tag_probe import fit_head, views
from wsstool.types import IGNORE, SILENT, Messages, tracked

CELLS = 70_000
"""Maximum number of cells for the fit, drawn evenly from all images and scales: 0.4 GB for MobileNetV2."""

ITERATIONS = 60
"""Maximum number of L-BFGS steps."""


def cell_shares(
    maps: np.ndarray, weights: Sequence[float], outputs: np.ndarray, size: tuple[int, int]
) -> Tensor:
    """Return the share of each cell that belongs to each output.

    Args:
        maps: (L,H,W) uint8 class ids, 255 = ignore.
        weights: (L,) of the label maps, sum 1.
        outputs: (256,) int: output of a class id, -1: none, the pixel is ignored.
        size: rows and columns of the grid of cells.
    Returns:
        (C, h, w) float32, C = greatest output + 1; sum over C = labelled part of the cell, in [0, 1]. A cell
        that contains no pixel (maps smaller than the grid) has 0.
    Example:
        >>> outputs = np.full(256, -1); outputs[:2] = [0, 1]
        >>> cell_shares(np.array([[[0, 1, 1, 255]]], np.uint8), [1.0], outputs, (1, 2))[:, 0].tolist()
        [[0.5, 0.0], [0.5, 0.5]]
    """
    n_outputs, n_cells = int(outputs.max()) + 1, size[0] * size[1]
    height, width = maps.shape[1:]
    row, column = np.arange(height) * size[0] // height, np.arange(width) * size[1] // width
    cell = row[:, None] * size[1] + column  # (H,W) number of the cell that contains each pixel
    pixels = np.bincount(cell.ravel(), minlength=n_cells).clip(1)
    total = np.zeros((n_outputs, n_cells))
    for weight, labels in zip(weights, outputs[maps], strict=True):
        known = labels >= 0
        counts = np.bincount(labels[known] * n_cells + cell[known], minlength=n_outputs * n_cells)
        total += weight * counts.reshape(n_outputs, n_cells) / pixels
    return torch.from_numpy(total).float().reshape(n_outputs, *size)


@torch.no_grad()
def cells(
    model: Segmenter,
    images: Callable[[int], np.ndarray],
    masks: Callable[[int], np.ndarray],
    numbers: Sequence[int],
    *,
    layer_weights: Sequence[float],
    outputs: np.ndarray,
    mean: Sequence[float],
    std: Sequence[float],
    scales: Sequence[float] = (1.0,),
    most: int = CELLS,
    seed: int = 0,
    messages: Messages = SILENT,
) -> tuple[Tensor, Tensor]:
    """Return features and class shares of cells drawn evenly from all images and scales.

    Args:
        model: computes the features, on its device.
        images: number -> (H,W,3) uint8 RGB.
        masks: number -> (L,H,W) uint8 class ids, 255 = ignore.
        numbers: the images.
        layer_weights, outputs: see ``cell_shares``.
        mean, std: of the input channels, in units of [0, 1].
        scales: image scales, > 0.
        most: total number of cells.
        seed: of the draw, which is independent for each image.
    Returns:
        features (N, F) and shares (N, C), float32 on the CPU; cells without a labelled pixel are dropped.
    """
    model.eval()
    device = next(model.parameters()).device
    each = max(1, most // (len(numbers) * len(scales)))
    features, shares = [], []
    for item, number in enumerate(tracked(numbers, messages, len(numbers), "features")):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + item)
        maps = np.asarray(masks(number))
        for view in views(images(number), scales, mean, std, device):
            grid = model.head_input(view)[0].float().cpu()  # (F,h,w)
            seen = _beyond(maps, (view.shape[2], view.shape[3]), model.backbone.input_multiple)
            part = cell_shares(seen, layer_weights, outputs, (grid.shape[1], grid.shape[2]))
            known = part.sum(0).flatten().nonzero()[:, 0]
            drawn = known[torch.randperm(len(known), generator=generator)[:each]]
            features.append(grid.flatten(1).T[drawn])
            shares.append(part.flatten(1).T[drawn])
    return torch.cat(features), torch.cat(shares)


def _beyond(maps: np.ndarray, view: tuple[int, int], multiple: int) -> np.ndarray:
    """Extend label maps with unlabelled pixels as far as a network pads the image, in proportion."""
    if all(n % multiple == 0 for n in view):
        return maps
    bottom, right = (round(side * (-n % multiple) / n) for side, n in zip(maps.shape[1:], view, strict=True))
    return np.pad(maps, ((0, 0), (0, bottom), (0, right)), constant_values=IGNORE)


def pixel_probe(model: Segmenter, features: Tensor, shares: Tensor, *, penalty: float = 1.0) -> float:
    """Fit the linear head of ``model`` in place; see ``fit_head``.

    minimise  mean over cells of -sum_c share_c log softmax_c(w x / s + b)  +  penalty * mean of |w_c|^2

    Args:
        model: a segmenter with a ``LinearHead``.
        features, shares: from ``cells``.
        penalty: > 0. With ground-truth masks it matters little; with pseudo-masks values near 1 are best by
            far: they keep the head from fitting the errors.
    Returns:
        Share of the labelled area of these cells that the fitted head predicts as labelled.
    Source:
        Independent. Logistic regression on frozen features, as in the "linear probing" of networks.
    """
    assert isinstance(model.head, LinearHead)
    weight, bias = fit_head(
        features,
        shares,
        penalty=penalty,
        intercept=True,
        single_label=True,
        iterations=ITERATIONS,
        precision=torch.float32,
    )
    with torch.no_grad():
        layer: nn.Conv2d = model.head.classify
        layer.weight.copy_(weight[:, :, None, None])
        assert layer.bias is not None
        layer.bias.copy_(bias)
    answers = (features @ weight.T + bias).argmax(1, keepdim=True)
    return float(shares.gather(1, answers).sum() / shares.sum())


def outputs_of(class_ids: Sequence[int]) -> np.ndarray:
    """Return the (256,) table class id -> output, -1 for classes without one and for 255."""
    table = np.full(256, -1)
    table[list(class_ids)] = np.arange(len(class_ids))
    table[IGNORE] = -1
    return table
