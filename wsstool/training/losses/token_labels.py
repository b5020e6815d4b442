"""Token labels from the logits of a labeler, and the loss of a student on them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Form = Literal["gumbel", "soft", "argmax"]


def token_targets(
    logits: Tensor, form: Form = "gumbel", *, tags: Tensor | None = None, smoothing: float = 0.1
) -> Tensor:
    """Turn the token logits of a labeler into targets.

    - ``soft``: the softmax over classes;
    - ``argmax``: 1 for the most probable class;
    - ``gumbel``: 1 for a class drawn from the softmax, as argmax (z + g) with g = -log(-log U) and U uniform:
      the hard Gumbel-softmax at temperature 1, so that tokens of low confidence get diverse labels.

    The last two are smoothed: (1 - s) t + s / K. With ``tags``, each class that the image is tagged with is a
    question of its own: the sigmoid takes the place of the softmax, logistic noise that of the Gumbel noise,
    and t is smoothed to (1 - s) t + s / 2; all other classes have target 0. So a token may belong to several
    tags or, like most of a picture with one small object, to none.

    Args:
        logits: (B,N,K) float.
        form: see above.
        tags: (B,K) 0 or 1; None: one class per image and token. An image without a tag has targets 0.
        smoothing: s, [0, 1); of hard labels alone.

    Returns:
        (B,N,K) float32.

    Source:
        Zhao et al., ICCV 2023, section 3.3; Jang et al., ICLR 2017 (Gumbel-softmax). Written from the papers
        and a description of the program; the form for several tags is ours.

    Example:
        >>> token_targets(torch.tensor([[[0.0, 3.0]]]), "argmax")
        tensor([[[0.0500, 0.9500]]])
    """
    logits = logits.float()
    if form == "soft":
        return logits.softmax(-1) if tags is None else logits.sigmoid() * tags[:, None]
    if form == "gumbel":
        logits = logits + gumbel_noise(logits)
    if tags is None:
        hard = functional.one_hot(logits.argmax(-1), logits.shape[-1]).float()
        return (1 - smoothing) * hard + smoothing / logits.shape[-1]
    if form == "gumbel":  # the difference of two Gumbel variables is logistic
        logits = logits - gumbel_noise(logits)
    return ((1 - smoothing) * (logits > 0).float() + smoothing / 2) * tags[:, None]


def gumbel_noise(logits: Tensor) -> Tensor:
    """Draw -log(-log U) for each logit, U uniform in (0, 1)."""
    return -torch.empty_like(logits).exponential_().log()


def dense_loss(logits: Tensor, targets: Tensor, *, multi_label: bool = False) -> Tensor:
    """Compute the mean over images and tokens of the cross-entropy between targets and token logits.

    Args:
        logits: (B,N,K) float.
        targets: (B,N,K), see ``token_targets``.
        multi_label: binary cross-entropy of every class, mean over classes; else of the softmax.

    Example:
        >>> round(dense_loss(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]])).item(), 4)
        0.6931
    """
    if multi_label:
        return functional.binary_cross_entropy_with_logits(logits, targets)
    return -(targets * logits.log_softmax(-1)).sum(-1).mean()
