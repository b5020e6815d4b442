"""Score-CAM: channels weighted by the class scores of the image masked by them; no gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsstool.cams.activations import check_targets, only, record
from wsstool.cams.result import Cams
from wsstool.errors import UsageError


def scorecam(
    model: nn.Module,
    x: Tensor,
    targets: Tensor,
    layers: Sequence[str] = (),
    *,
    top_channels: int = 0,
    masked_batch: int = 32,
) -> Cams:
    """Compute Score-CAM maps without gradients: one more forward pass per image and channel, for all classes.

    Channel k, upsampled to the image and scaled to [0, 1], is a mask H_k. With S_c(k) the logit of c for
    x * H_k, the weights are alpha_k = softmax over k of S_c(k), and L_c(p) = sum_k alpha_k A_k(p).

    Args:
        model: a classifier, (B, 3, H, W) -> (B, C).
        x: (B, 3, H, W) float, normalised as the network expects, so that 0 is the mean colour.
        targets: (B, C) bool, the classes to compute maps for; images without targets need no further passes.
        layers: names of layers that output feature maps; none means ``model.default_layer``.
        top_channels: use only this many channels, those that vary most over the image; 0: all, as published.
            A last layer has 512 to 2048 channels, so 64 is some 10 to 30 times faster.
        masked_batch: masked images per forward pass, >= 1; limits the memory, changes nothing else.

    Returns:
        One (B, C, h, w) float32 map per layer, and the logits.

    Raises:
        UsageError: ``top_channels`` below 0 or ``masked_batch`` below 1.

    Notes:
        The paper subtracts the score of a blank image, which cancels in the softmax and is never computed.
        Channels that are constant over the image give no mask and get weight 0. The final rectification is
        left to the masking step.

    Source:
        Wang et al., CVPR Workshops 2020, algorithm 1. Written from the paper.
    """
    if top_channels < 0 or masked_batch < 1:
        raise UsageError(
            f"top_channels must be >= 0 and masked_batch >= 1, not {top_channels} and {masked_batch}"
        )
    recording = record(model, x, layers)
    check_targets(targets, recording.logits)
    maps = []
    for a in recording.activations:
        layer_maps = a.new_zeros(*targets.shape, *a.shape[2:], dtype=torch.float32)
        for i in targets.any(1).nonzero().flatten().tolist():
            image_maps = _one_image(model, x[i], a[i].float(), layers, top_channels, masked_batch)
            if image_maps is not None:
                layer_maps[i] = image_maps
        maps.append(only(targets, layer_maps))
    return Cams(tuple(maps), recording.logits.float())


def _one_image(
    model: nn.Module, x: Tensor, a: Tensor, layers: Sequence[str], top_channels: int, masked_batch: int
) -> Tensor | None:
    """Return the maps (C, h, w) of one image from x (3, H, W) and activations (F, h, w), or None.

    None means that all channels are constant.
    """
    varying = a[a.flatten(1).amax(1) > a.flatten(1).amin(1)]
    if not len(varying):
        return None
    strongest = varying.flatten(1).var(1, correction=0).argsort(descending=True, stable=True)
    a = varying[strongest[: top_channels or None]]  # (K, h, w)
    scores = []
    for part in a.split(masked_batch):
        masks = F.interpolate(part[:, None], x.shape[1:], mode="bilinear", align_corners=False)
        low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
        masks = (masks - low) / (high - low).clamp_min(torch.finfo(masks.dtype).tiny)
        scores.append(record(model, x * masks.to(x.dtype), layers).logits.float())  # (k, C)
    weights = torch.cat(scores).softmax(0)  # (K, C)
    return torch.einsum("kc,khw->chw", weights, a)
