"""The training task of a classifier on image-level labels (tags)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.image_size import shrink, size_within
from wsstool.metrics.classification import average_precisions, exact_match, mean_jaccard
from wsstool.models.classifier import Classifier, normalise
from wsstool.models.fan_classifier import FanClassifier
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.losses.classification import LOSSES
from wsstool.training.plan import Progress, parameter_groups


class ClassificationTask:
    """Train on tags; validate on whole images at their own size.

    Args:
        model: the classifier.
        mean, std: of the input channels, for images in [0, 1].
        loss: a name of ``LOSSES``.
        label_smoothing, positive_weight: see the losses.
        backbone_rate: learning-rate multiplier of the backbone, >= 0; 0 trains the head alone, on the
            features of the frozen backbone (batch statistics frozen too).
        attention: ``(features, head weight, epoch)`` -> features that the head sees in training, or None;
            of a ``Classifier`` alone, whose head is linear.
        validation: images and their tags (N,K), or None.
        longest: longer side above which validation images are reduced, pixels.
    """

    def __init__(
        self,
        model: Classifier | FanClassifier,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        loss: str = "soft-margin",
        label_smoothing: float = 0.0,
        positive_weight: float = 1.0,
        backbone_rate: float = 1.0,
        attention: Callable[[Tensor, Tensor, int], Tensor] | None = None,
        validation: tuple[DecodedImages, Sequence[int], np.ndarray] | None = None,
        longest: int = 512,
    ) -> None:
        if loss not in LOSSES:
            raise UsageError(f"no loss '{loss}'; there are: {', '.join(LOSSES)}")
        self.model = model
        if backbone_rate == 0:
            model.freeze_backbone()
        self.mean, self.std = list(mean), list(std)
        self.loss_name = loss
        self.measure: Callable[..., Tensor] = LOSSES[loss]
        self.settings = {"label_smoothing": label_smoothing, "positive_weight": positive_weight}
        self.backbone_rate = backbone_rate
        self.attention = attention
        self.validation = validation
        self.longest = longest

    def modules(self) -> Mapping[str, nn.Module]:
        return {"model": self.model}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return weights and, without decay, biases and norms; the backbone at its own learning rate."""
        return parameter_groups(self.model, self.backbone_rate, decay_vectors=False)

    def loss(self, batch: tuple[Tensor, Tensor], progress: Progress) -> dict[str, Any]:
        """Return ``loss`` and the scores on the training crops: ``train_exact_match``, ``train_jaccard``."""
        images, tags = batch
        features = self.model.features(normalise(images, self.mean, self.std))
        if self.attention is not None:
            assert isinstance(self.model, Classifier)
            features = self.attention(features, self.model.head.weight, progress.epoch)
        logits = self.model.logits(features)
        truth, predicted = tags.cpu().numpy(), self._predicted(logits.detach().float().cpu())
        return {
            "loss": self.measure(logits, tags, **self.settings),
            "train_exact_match": exact_match(truth, predicted),
            "train_jaccard": mean_jaccard(truth, predicted),
        }

    def validate(self) -> dict[str, Any]:
        """Return ``val_loss``, ``map`` (mean over present classes), ``exact_match``, ``jaccard``, ``ap``."""
        if self.validation is None:
            return {}
        images, items, tags = self.validation
        device = next(self.model.parameters()).device
        rows = []
        for i in items:
            pixels = images[i]
            size = size_within((pixels.shape[0], pixels.shape[1]), self.longest)
            image = torch.from_numpy(np.ascontiguousarray(shrink(pixels, size, "triangle")))
            x = normalise(image.movedim(-1, 0)[None].to(device), self.mean, self.std)
            rows.append(self.model(x).float().cpu())
        logits = torch.cat(rows)
        precisions = average_precisions(tags, logits.numpy())
        known = precisions[~np.isnan(precisions)]
        return {
            "val_loss": float(self.measure(logits, torch.from_numpy(tags), **self.settings)),
            "map": float(known.mean()) if len(known) else 0.0,
            "exact_match": exact_match(tags, self._predicted(logits)),
            "jaccard": mean_jaccard(tags, self._predicted(logits)),
            "ap": [None if np.isnan(p) else round(float(p), 6) for p in precisions],
        }

    def _predicted(self, logits: Tensor) -> np.ndarray:
        """Return (N,K) bool: every class above one half, or only the best for single-label datasets."""
        if self.loss_name == "cross-entropy":
            return (logits == logits.amax(1, keepdim=True)).numpy()
        return (logits > 0).numpy()
