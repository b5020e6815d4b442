"""The training task of a classifier on image-level labels (tags)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wsstool.image_size import shrink, size_within
from wsstool.metrics.classification import average_precisions, exact_match, mean_jaccard
from wsstool.models.classifier import Classifier, normalise
from wsstool.models.fan_classifier import FanClassifier
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.losses.classification import class_loss
from wsstool.training.mixing import Mixing
from wsstool.training.plan import Progress, parameter_groups
from wsstool.training.token_terms import TokenBatch, TokenTerms


class ClassificationTask:
    """Train on tags; validate on whole images at their own size.

    Args:
        model: the classifier.
        mean, std: of the input channels, for images in [0, 1].
        loss: a name of ``CLASS_LOSSES``.
        label_smoothing, positive_weight: see the losses.
        backbone_rate: learning-rate multiplier of the backbone, >= 0; 0 trains the head alone, on the
            features of the frozen backbone (batch statistics frozen too).
        attention: ``(features, head weight, epoch)`` -> features that the head sees in training, or None;
            of a ``Classifier`` alone, whose head is linear.
        mixing: of the images of a batch, see ``Mixing``; None: none.
        token_terms: further terms of the loss, from the token logits of a ``FanClassifier``; None: none.
        score: what is validated: ``class``, the class logits, or ``combined``, plus half the highest token
            logit of each class.
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
        mixing: Mixing | None = None,
        token_terms: TokenTerms | None = None,
        score: str = "class",
        validation: tuple[DecodedImages, Sequence[int], np.ndarray] | None = None,
        longest: int = 512,
    ) -> None:
        self.model = model
        if backbone_rate == 0:
            model.freeze_backbone()
        self.mean, self.std = list(mean), list(std)
        self.loss_name = loss
        self.measure = class_loss(loss, label_smoothing=label_smoothing, positive_weight=positive_weight)
        self.backbone_rate = backbone_rate
        self.attention = attention
        self.mixing, self.token_terms, self.score = mixing, token_terms, score
        self.validation = validation
        self.longest = longest

    def modules(self) -> Mapping[str, nn.Module]:
        return {"model": self.model}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return weights and, without decay, biases and norms; the backbone at its own learning rate."""
        return parameter_groups(self.model, self.backbone_rate, decay_vectors=False)

    def loss(self, batch: Sequence[Tensor], progress: Progress) -> dict[str, Any]:
        """Return ``loss``, its further terms, and, unless images are mixed, scores on the training crops.

        Args:
            batch: images (B,3,S,S) uint8, tags (B,K) and, for a student of token labels, the images that its
                teacher sees.
            progress: position of the run.

        Returns:
            The scores are ``train_exact_match`` and ``train_jaccard``.
        """
        images, tags, *clean = batch
        targets = tags
        if self.mixing is not None:
            if self.loss_name == "cross-entropy":  # as there, but before mixing
                targets = tags / tags.sum(1, keepdim=True).clamp(min=1)
            images, targets = self.mixing(images, targets, progress.step)
        features = self.model.features(normalise(images, self.mean, self.std))
        if self.attention is not None:
            assert isinstance(self.model, Classifier)
            features = self.attention(features, self.model.head.weight, progress.epoch)
        terms: dict[str, Tensor] = {}
        if self.token_terms is None:
            logits = self.model.logits(features)
        else:
            assert isinstance(self.model, FanClassifier)
            seen = TokenBatch(features, targets, tags, clean[0] if clean else None, progress)
            logits, terms = self.token_terms(self.model, seen)
        found = {"loss": sum(terms.values(), self.measure(logits, targets)), **terms}
        if self.mixing is not None:
            return found
        truth, predicted = tags.cpu().numpy(), self._predicted(logits.detach().float().cpu())
        return {
            **found,
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
            image = torch.from_numpy(np.require(shrink(pixels, size, "triangle"), requirements=("C", "W")))
            x = normalise(image.movedim(-1, 0)[None].to(device), self.mean, self.std)
            rows.append(self._validated(x).float().cpu())
        logits = torch.cat(rows)
        precisions = average_precisions(tags, logits.numpy())
        known = precisions[~np.isnan(precisions)]
        return {
            "val_loss": float(self.measure(logits, torch.from_numpy(tags))),
            "map": float(known.mean()) if len(known) else 0.0,
            "exact_match": exact_match(tags, self._predicted(logits)),
            "jaccard": mean_jaccard(tags, self._predicted(logits)),
            "ap": [None if np.isnan(p) else round(float(p), 6) for p in precisions],
        }

    def _validated(self, x: Tensor) -> Tensor:
        """Return the logits (B,K) that are scored."""
        if self.score == "class":
            return self.model(x)
        assert isinstance(self.model, FanClassifier)
        return self.model.combined(x)

    def _predicted(self, logits: Tensor) -> np.ndarray:
        """Return (N,K) bool: every class above one half, or only the best for single-label datasets."""
        if self.loss_name == "cross-entropy":
            return (logits == logits.amax(1, keepdim=True)).numpy()
        return (logits > 0).numpy()
