"""Text maps: the classes of every position by the likeness of its embedding to vectors of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from wsstool.cams.activations import check_targets, evaluating, only
from wsstool.cams.result import Probabilities
from wsstool.errors import UsageError
from wsstool.models.image_text.classifier import LOGIT_SCALE, TextClassifier
from wsstool.models.image_text.tower import POSITIONS, Positions
from wsstool.models.layers import find_layer


def text(
    model: nn.Module,
    x: Tensor,
    targets: Tensor,
    layers: Sequence[str] = (),
    *,
    features: str = "auto",
    logit_scale: float = LOGIT_SCALE,
) -> Probabilities:
    """Compare every position of an image with a vector per class: no training, one forward pass.

    The features of a position are projected into the space of text and classified there as the whole image
    would be: the softmax of ``logit_scale`` times the cosines with the vectors of all classes and of the
    background, whichever classes are asked for. The last attention of a transformer mixes positions for the
    sake of the class token; without it, each position speaks of itself.

    Args:
        model: an image tower with class vectors, (B, 3, H, W) -> (B, C).
        x: (B, 3, H, W) float, normalised as the network expects.
        targets: (B, C) bool, the classes to return maps for.
        layers: none, or the last one: ``model.default_layer``.
        features: ``values``: the last attention is replaced by its value projection; ``tokens``: the last
            features as they are; ``auto``: values where the network ends in attention, else tokens.
        logit_scale: factor of the cosines, above 0; small values even out the classes, large ones decide.

    Returns:
        One (B, C, h, w) float32 map, in [0, 1] and at most 1 in sum, and the log-odds of the classes of the
        whole image.

    Raises:
        UsageError: a network without class vectors, another layer, an invalid option value, or ``values`` of
            a network that does not end in attention.

    Source:
        Zhou et al., ECCV 2022 (MaskCLIP). Written from the paper; its prompt denoising and key smoothing are
        left out.
    """
    if features not in POSITIONS:
        raise UsageError(f"features must be {', '.join(POSITIONS[:-1])} or {POSITIONS[-1]}, not '{features}'")
    if not 0 < logit_scale < float("inf"):
        raise UsageError(f"logit-scale must be above 0, not {logit_scale:g}")
    if not isinstance(model, TextClassifier):
        raise UsageError("text needs an image tower with class vectors; use cam or gradcam for classifiers")
    last = find_layer(model, model.default_layer)
    for name in layers:
        if find_layer(model, name) is not last:
            raise UsageError(f"text projects only the last features, so it has no map of layer '{name}'")
    with torch.inference_mode(), evaluating(model):
        logits, maps = model.with_maps(x, cast(Positions, features), logit_scale)
        check_targets(targets, logits)
    return Probabilities((only(targets, maps),), logits.clone())  # both outside of inference mode
