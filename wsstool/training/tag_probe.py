"""Fit only the classification head: a convex problem on the pooled features of a frozen backbone.

With a few hundred images and good start weights this takes seconds where fine-tuning takes minutes, overfits
less, and gives class maps that are hard to beat: the features stay as general as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsstool.models.classifier import Classifier, normalise
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.types import SILENT, Messages, tracked

ITERATIONS = 300
"""Maximum number of L-BFGS steps; the problem is strongly convex and converges long before."""


@torch.no_grad()
def pooled_features(
    backbone: nn.Module,
    images: DecodedImages,
    items: Sequence[int],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    scales: Sequence[float] = (1.0,),
    messages: Messages = SILENT,
) -> Tensor:
    """Return the spatial mean of the last feature map, for each image at each scale.

    Args:
        backbone: (B,3,H,W) -> (B,F,h,w), on its device.
        images, items: the images.
        mean, std: of the input channels, in units of [0, 1].
        scales: image scales, > 0; resized bilinearly.
    Returns:
        (S, N, F) float32 on the CPU.
    """
    backbone.eval()
    device = next(backbone.parameters()).device
    rows = []
    for i in tracked(items, messages, len(items), "features"):
        seen = views(images[i], scales, mean, std, device)
        rows.append(torch.cat([backbone(view).float().mean((2, 3)) for view in seen]).cpu())
    return torch.stack(rows, 1)


def views(
    image: np.ndarray,
    scales: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
) -> list[Tensor]:
    """Return the normalised input at each scale: (H,W,3) uint8 -> (1,3,h,w), channels last."""
    writable = np.require(image, requirements="W")  # torch warns of read-only arrays
    x = torch.from_numpy(writable).movedim(-1, 0)[None].to(device)
    x = normalise(x, list(mean), list(std)).contiguous(memory_format=torch.channels_last)
    return [x if scale == 1 else _scaled(x, scale) for scale in scales]


def _scaled(x: Tensor, scale: float) -> Tensor:
    """Resize (B,C,H,W) bilinearly, to at least one pixel."""
    size = [max(1, round(n * scale)) for n in x.shape[2:]]
    return F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=scale < 1)


def fit_head(
    features: Tensor,
    tags: Tensor,
    *,
    penalty: float = 0.03,
    balanced: bool = False,
    intercept: bool = False,
    single_label: bool = False,
    iterations: int = ITERATIONS,
    precision: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor]:
    """Fit weights and bias of a linear head: logistic regression with an L2 penalty, to convergence.

    minimise  mean over samples and classes of BCE(w_c x / s + b_c, t_c)  +  penalty * mean over c of |w_c|^2

    with s the mean standard deviation of the features, so that ``penalty`` means the same for every network.
    With ``single_label`` the first term is the cross-entropy of the softmax.

    Args:
        features: (N, F).
        tags: (N, K) in {0, 1}; with ``single_label`` shares in [0, 1].
        penalty: > 0. 0.001 fits the tags almost exactly, 1 hardly at all. Large values (0.03 for photographs,
            0.5 for tissue) gave the best class maps: they spread the evidence over the object.
        balanced: weight positives and negatives of each class equally.
        intercept: fit a bias too. Without one the features alone must explain the tags, absence included,
            which improves the class maps: with a bias that encodes rarity they become positive almost
            everywhere.
        single_label: classes are mutually exclusive.
        iterations: maximum number of L-BFGS steps.
        precision: of the arithmetic; float32 halves time and memory for many samples.
    Returns:
        weight (K, F), bias (K,): for features not divided by s; bias 0 without ``intercept``.
    Notes:
        s is 1 if the features are constant. A class that all or no samples have gets weight near 0.
    Source:
        Logistic regression; L-BFGS with strong Wolfe line search, from zero: the result depends on no seed.
    Example:
        >>> x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
        >>> tags = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
        >>> weight, bias = fit_head(x, tags, penalty=1e-3, intercept=True)
        >>> bool(weight[0, 0] > 0), round(float(-bias[0] / weight[0, 0]), 2)
        (True, 1.5)
    """
    spread = float(features.std(0).mean()) if len(features) > 1 else 0.0
    x = features.to(precision) / (spread or 1.0)
    t = tags.to(precision)
    share = t.mean(0).clamp(1e-9, 1 - 1e-9)
    importance = torch.where(t > 0, 0.5 / share, 0.5 / (1 - share)) if balanced else torch.ones_like(t)
    weight = torch.zeros(t.shape[1], x.shape[1], dtype=precision, requires_grad=True)
    bias = torch.zeros(t.shape[1], dtype=precision, requires_grad=True)
    unknown = [weight, bias] if intercept else [weight]
    optimizer = torch.optim.LBFGS(unknown, max_iter=iterations, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = x @ weight.T + bias
        if single_label:
            losses = -(importance * t * logits.log_softmax(1)).sum(1)
        else:
            losses = importance * F.binary_cross_entropy_with_logits(logits, t, reduction="none")
        loss = losses.mean() + penalty * weight.square().sum(1).mean()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return (weight / (spread or 1.0)).detach().float(), bias.detach().float()


def probe(
    model: Classifier,
    images: DecodedImages,
    items: Sequence[int],
    tags: Tensor,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    scales: Sequence[float] = (1.0,),
    penalty: float = 0.03,
    balanced: bool = False,
    intercept: bool = False,
    single_label: bool = False,
    messages: Messages = SILENT,
) -> float:
    """Fit the head of ``model`` in place on all images at all scales; see ``fit_head``.

    Returns:
        Share of (image, class) pairs that the fitted head predicts correctly at scale ``scales[0]``.
    """
    features = pooled_features(
        model.backbone, images, items, mean=mean, std=std, scales=scales, messages=messages
    )
    repeated = tags.repeat(len(scales), 1)
    flat = features.flatten(0, 1)
    weight, bias = fit_head(
        flat,
        repeated,
        penalty=penalty,
        balanced=balanced,
        intercept=intercept,
        single_label=single_label,
    )
    with torch.no_grad():
        model.head.weight.copy_(weight[:, :, None, None])
        if model.head.bias is not None:
            model.head.bias.copy_(bias)
    logits = features[0] @ weight.T + bias
    answers = logits == logits.amax(1, keepdim=True) if single_label else logits > 0
    return float((answers == (tags > 0)).float().mean())
