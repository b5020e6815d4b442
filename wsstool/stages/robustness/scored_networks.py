"""What is recorded of a network's output: the best class, class scores, or the pixels of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsstool.metrics.confusion import count_pairs
from wsstool.models.fan_classifier import FanClassifier
from wsstool.stages.networks.class_scores import ClassScores
from wsstool.stages.networks.segmenter import OpenedSegmenter


class ScoredNetwork(Protocol):
    """A network and what is recorded of it per image and condition, see the kind ``score`` of the store."""

    @property
    def measure(self) -> str: ...
    @property
    def shape(self) -> tuple[int, int]:
        """K and F."""

    @property
    def dtype(self) -> str: ...

    def __call__(self, pixels: list[np.ndarray], truths: Sequence[np.ndarray | None]) -> np.ndarray:
        """Score (h, w, 3) uint8 views of equal size and their ground truth: (B, K, F)."""


@dataclass(frozen=True)
class BestClass:
    """A classifier that is scored by its best class.

    Attributes:
        classifier: on its device.
        outputs: (K,) outputs that may win.
        class_ids: (K,) class of the data of each.
        with_tokens: add half the largest logit of any token.
    """

    classifier: ClassScores
    outputs: Sequence[int]
    class_ids: Sequence[int]
    with_tokens: bool = False
    measure = "class"
    shape = (1, 1)
    dtype = "int32"

    def __call__(self, pixels: list[np.ndarray], truths: Sequence[np.ndarray | None]) -> np.ndarray:
        best = class_logits(self.classifier, pixels, self.with_tokens)[:, self.outputs].argmax(1)
        return np.asarray(self.class_ids, np.int32)[best.cpu().numpy()][:, None, None]


@dataclass(frozen=True)
class ScoreOfEachClass:
    """A classifier that is scored by all its class scores, for images with any number of tags.

    Attributes:
        classifier: on its device.
        outputs: the output of each class but the background, in the order of the class list.
        with_tokens: add half the largest logit of any token.
    """

    classifier: ClassScores
    outputs: Sequence[int]
    with_tokens: bool = False
    measure = "scores"
    dtype = "float32"

    @property
    def shape(self) -> tuple[int, int]:
        """One score per class."""
        return len(self.outputs), 1

    def __call__(self, pixels: list[np.ndarray], truths: Sequence[np.ndarray | None]) -> np.ndarray:
        logits = class_logits(self.classifier, pixels, self.with_tokens)[:, self.outputs]
        return self.classifier.as_scores(logits)[:, :, None]


@dataclass(frozen=True)
class PixelsOfEachClass:
    """A segmenter that is scored by correct, predicted and ground-truth pixels.

    Attributes:
        trained: on its device.
        device: that one.
    """

    trained: OpenedSegmenter
    device: torch.device
    measure = "pixels"
    dtype = "int32"

    @property
    def shape(self) -> tuple[int, int]:
        """Three counts per class."""
        return len(self.trained.classes), 3

    def __call__(self, pixels: list[np.ndarray], truths: Sequence[np.ndarray | None]) -> np.ndarray:
        trained = self.trained
        batch = torch.from_numpy(np.stack(pixels)).movedim(-1, 1).to(self.device)
        probs = trained.probabilities(batch)
        masks = [mask for mask in truths if mask is not None]
        if probs.shape[-2:] != masks[0].shape:
            probs = F.interpolate(probs, size=masks[0].shape, mode="bilinear", align_corners=False)
        best = trained.ids[probs.argmax(dim=1).cpu().numpy()].astype(np.uint8)
        n_classes = len(trained.classes)
        return np.stack([pixel_counts(*pair, n_classes) for pair in zip(best, masks, strict=True)])


@torch.inference_mode()
def class_logits(classifier: ClassScores, pixels: list[np.ndarray], with_tokens: bool) -> Tensor:
    """Compute (B, C) logits of the class token, or ``with_tokens`` by the rule of the released evaluation."""
    x, model = classifier.input(pixels), classifier.model
    if not with_tokens:
        return model(x)
    assert isinstance(model, FanClassifier)
    return model.combined(x)


def pixel_counts(labels: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    """Count correct, predicted and ground-truth pixels of each class where there is ground truth.

    Args:
        labels: (H, W) uint8, predicted.
        truth: (H, W) uint8; 255 is not counted.
        n_classes: number of classes.

    Returns:
        (n_classes, 3) int32.

    Example:
        >>> pixel_counts(np.uint8([[0, 1, 1]]), np.uint8([[0, 0, 255]]), 2).tolist()
        [[1, 1, 2], [0, 1, 0]]
    """
    table, _ = count_pairs(labels, truth, n_classes)
    parts = (np.diagonal(table), table[:, :n_classes].sum(0), table.sum(1))
    return np.stack(parts, 1).astype(np.int32)
