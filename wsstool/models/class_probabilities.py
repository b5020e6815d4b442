"""Class probabilities of whole images, averaged over scales, horizontal flips and networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


@torch.inference_mode()
def class_probabilities(
    networks: Sequence[nn.Module],
    x: torch.Tensor,
    *,
    allowed: torch.Tensor | None = None,
    factors: torch.Tensor | None = None,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    stride: int = 32,
) -> torch.Tensor:
    """Average the softmax probability of each class per pixel over networks, scales and horizontal flips.

    Args:
        networks: each maps (B,3,H,W) to logits (B,C,H,W); in eval mode.
        x: (B,3,H,W) float32, normalised, of any size.
        allowed: (B,C) bool, or None for all; other classes get probability 0 in that image, which is
            redistributed to the allowed classes at each scale.
        factors: (B,C) float, or None; multiplied with the logits before ``allowed`` is applied.
        scales: image sizes relative to the input, > 0; averaged with equal weights.
        flip: add the horizontal flip at every scale. The result is then exactly as symmetric as its input.
        stride: images are padded at the right and the bottom to a multiple of it, by repeating the border,
            so that each feature has its own square of pixels; 1 for networks that must not see padding.

    Returns:
        (B,C,H,W) float32, a distribution over C at each pixel.

    Example:
        >>> class_probabilities([nn.Conv2d(3, 2, 1)], torch.zeros(1, 3, 5, 7), scales=(0.5, 1.0)).shape
        torch.Size([1, 2, 5, 7])
    """
    total: torch.Tensor | None = None
    for scale in scales:
        view = _scaled(x, scale)
        for is_mirrored in (False, True) if flip else (False,):
            seen = padded(view.flip(-1) if is_mirrored else view, stride)
            for network in networks:
                logits = cropped(network(seen), view.shape[-2:]).float()
                if is_mirrored:
                    logits = logits.flip(-1)
                if logits.shape[-2:] != x.shape[-2:]:
                    logits = F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)
                if factors is not None:
                    logits = logits * factors[:, :, None, None]
                if allowed is not None:
                    logits = logits.masked_fill(~allowed[:, :, None, None], float("-inf"))
                probs = logits.softmax(dim=1)  # (B,C,H,W)
                total = probs if total is None else total.add_(probs)
    assert total is not None, "no scales or no networks"
    return total.div_(len(scales) * (1 + flip) * len(networks))


def on_grid(probs: torch.Tensor, step: int) -> torch.Tensor:
    """Average on a grid of ``step`` pixels: (B,C,H,W) -> (B,C,ceil(H/step),ceil(W/step)); sums stay 1."""
    if step == 1:
        return probs
    size = (-(-probs.shape[-2] // step), -(-probs.shape[-1] // step))
    return F.interpolate(probs, size=size, mode="bilinear", align_corners=False, antialias=True)


def _scaled(x: torch.Tensor, scale: float) -> torch.Tensor:
    size = tuple(max(1, round(n * scale)) for n in x.shape[-2:])
    if size == tuple(x.shape[-2:]):
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)


def padded(x: torch.Tensor, stride: int) -> torch.Tensor:
    """Pad (B,C,H,W) to a multiple of ``stride`` on both axes, by repeating the border right and below."""
    bottom, right = (missing(n, stride) for n in x.shape[-2:])
    if stride == 1 or not (torch.compiler.is_compiling() or bottom or right):
        return x
    return F.pad(x, (0, right, 0, bottom), mode="replicate")  # exported networks always pad, also by 0


def missing(n: int, multiple: int) -> int:
    """Return how much n lacks to the next multiple, in a form that ``torch.export`` can simplify."""
    return (n + multiple - 1) // multiple * multiple - n


def cropped(x: torch.Tensor, size: Sequence[int], first: Sequence[int] = (0, 0)) -> torch.Tensor:
    """Keep ``size`` rows and columns, beginning at ``first``: (B,C,H,W) -> (B,C,*size)."""
    (rows, columns), (top, left) = size, first
    if not torch.compiler.is_compiling():
        return x[..., top : top + rows, left : left + columns]
    for axis, begin, n in ((-2, top, rows), (-1, left, columns)):  # a traced slice cuts always, or never
        x = x.index_select(axis, torch.arange(begin, begin + n, device=x.device))
    return x
