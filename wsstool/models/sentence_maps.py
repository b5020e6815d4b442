"""Maps of the objects that sentences name, at the size of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.classifier import normalise


@torch.inference_mode()
def sentence_maps(
    networks: Sequence[nn.Module],
    image: Tensor,
    words: Tensor,
    size: tuple[int, int],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    batch_size: int = 32,
) -> np.ndarray:
    """Return the probability of the object of each sentence.

    Args:
        networks: in eval mode on one device; the mean of their probabilities is returned.
        image: (3,S,S) uint8, resized as in training.
        words: (N,T) int64, encoded sentences.
        size: rows and columns of the original image.
        mean, std: of the colours.
        batch_size: sentences per pass.

    Returns:
        (N,H,W) float32, 0 to 1.
    """
    device = next(networks[0].parameters()).device
    x = normalise(image[None].to(device), list(mean), list(std)).contiguous(memory_format=torch.channels_last)
    found = np.zeros((len(words), *size), np.float32)
    for start in range(0, len(words), batch_size):
        part = words[start : start + batch_size].to(device)
        image_of = torch.zeros(len(part), dtype=torch.int64, device=device)
        logits = [network(x, part, image_of)[-1].float() for network in networks]  # (n,1,S,S)
        if tuple(logits[0].shape[2:]) != size:
            logits = [F.interpolate(one, size, mode="bilinear", align_corners=False) for one in logits]
        mean_map = torch.stack([one.sigmoid() for one in logits]).mean(0)[:, 0]
        found[start : start + len(part)] = mean_map.cpu().numpy()
    return found
