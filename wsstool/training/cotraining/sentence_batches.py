"""Batches of sentences for the training methods of segmenters: two classes, logits at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.classifier import normalise
from wsstool.models.referring.build import ReferringNetwork
from wsstool.training.cotraining.segmentation_task import ImageBatches
from wsstool.training.images.sentence_images import join_groups
from wsstool.training.losses.segmentation import pixel_losses


class SentenceInput(NamedTuple):
    """Images (B,3,H,W), encoded sentences (S,T) and the image of each, (S,) int64."""

    images: Tensor
    words: Tensor
    image_of: Tensor


class SentencePixels(nn.Module):
    """A network that reads sentences, with the output of a segmenter of two classes at K scales.

    Args:
        network: changed in place by training.
    """

    def __init__(self, network: ReferringNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: SentenceInput) -> Tensor:
        """Return the logits of background and object: (S,2,K,H,W) at the size of the image, finest last.

        The background's are 0, so that the softmax is the sigmoid of the map.
        """
        size = x.images.shape[2:]
        maps = [self._upsampled(one, size) for one in self.network(x.images, x.words, x.image_of)]
        objects = torch.cat(maps, 1)  # (S,K,H,W)
        return torch.stack([torch.zeros_like(objects), objects], 1)

    def _upsampled(self, logits: Tensor, size: torch.Size) -> Tensor:
        if logits.shape[2:] == size:
            return logits
        return F.interpolate(logits, size, mode="bilinear", align_corners=False)


class SentenceBatches(ImageBatches):
    """How networks read a batch of sentences: each scale is compared with the same label map.

    The loss of a pixel, by which pixels are selected, is the sum over the scales.
    """

    def normalised(self, inputs: Any, mean: Sequence[float], std: Sequence[float]) -> SentenceInput:
        return inputs._replace(images=normalise(inputs.images, list(mean), list(std)))  # type: ignore[no-any-return]

    def losses(self, logits: Tensor, labels: Tensor, kind: str) -> Tensor:
        """(S,2,K,H,W), (S,K,H,W) -> (S,K,H,W)."""
        scales = zip(logits.unbind(2), labels.unbind(1), strict=True)
        return torch.stack([pixel_losses(one, label, kind=kind) for one, label in scales], 1)

    def final(self, logits: Tensor) -> Tensor:
        return logits[:, :, -1]


class ScaledBatch:
    """Join items of ``SentenceImages`` with masks to a batch: inputs, and the label map once per scale.

    Picklable, for loader processes.

    Args:
        scales: K, outputs of the network.
    """

    def __init__(self, scales: int) -> None:
        self.scales = scales

    def __call__(self, items: Sequence[dict[str, Tensor]]) -> tuple[SentenceInput, Tensor]:
        batch = join_groups(items)
        labels = batch["mask"][:, None].expand(-1, self.scales, -1, -1)
        return SentenceInput(batch["image"], batch["words"], batch["image_of"]), labels
