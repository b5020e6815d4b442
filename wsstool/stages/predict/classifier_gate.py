"""A gate: restrict a segmenter to the classes that a classifier detects in an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from wsstool.models.classifier import normalise
from wsstool.models.weights import Weights
from wsstool.stages.networks.classifier import load_classifier
from wsstool.types import ClassList


@dataclass(frozen=True)
class Gate:
    """A classifier whose scores decide which outputs of a segmenter may win.

    Attributes:
        classifier: (B,3,H,W) -> logits (B,K).
        mean, std: of its input, which need not be the segmenter's.
        single_label: its scores are a softmax.
        order: for each output of the segmenter the output of the classifier of the same name; -1 for the
            background, which the classifier does not score and which is always kept.
        threshold: a class is kept whose score is above it, [0, 1).
        form: ``forbid``: the logits of the others become -inf, and where none is left the class with the best
            score is kept. ``multiply``: their logits become 0, as published: they still win where the logits
            of all that is kept are negative, and if nothing is kept the first class wins everywhere.
        provenance: of the classifier.
    Source:
        Han et al., Medical Image Analysis 2022 (``multiply``, threshold .1). Written from the paper.
    """

    classifier: nn.Module
    mean: Sequence[float]
    std: Sequence[float]
    single_label: bool
    order: torch.Tensor
    threshold: float
    form: str
    provenance: Sequence[dict]

    @torch.inference_mode()
    def __call__(self, images: torch.Tensor, may: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the outputs that may win, and factors for their logits.

        Args:
            images: (B,3,H,W) uint8.
            may: (B,C) bool, outputs that may win for other reasons.

        Returns:
            (B,C) bool, outputs that may win; and (B,C) factors for the logits, or None.
        """
        logits = self.classifier(normalise(images, list(self.mean), list(self.std))).float()
        scores = (logits.softmax(1) if self.single_label else logits.sigmoid())[:, self.order]  # (B,C)
        keep = (scores > self.threshold) | (self.order < 0)
        if self.form == "multiply":
            return may, keep.float()
        kept = may & keep
        best = scores.masked_fill(~may, -1.0).argmax(1)  # (B,)
        alone = torch.zeros_like(may).scatter_(1, best[:, None], True)
        return torch.where(kept.any(1, keepdim=True), kept, alone), None


def open_gate(
    path: Path,
    names: Sequence[str | None],
    device: torch.device,
    listed: ClassList,
    *,
    threshold: float = 0.1,
    form: str = "forbid",
    is_named: bool = False,
    weights: Weights | None = None,
) -> Gate:
    """Open a classifier's weights file as the gate of a segmenter.

    Args:
        path: weights of a classifier.
        names: of the segmenter's outputs; None for a background.
        device: where the classifier goes.
        listed, is_named: see ``named_outputs``.
        threshold, form: see ``Gate``.
        weights: result of ``load_weights`` for the file, if it has been read already.

    Raises:
        BadInputError: weights of a segmenter, damaged, or of other classes.
        MissingInputError: no such file.
    """
    classifier, meta = load_classifier(path, listed, is_named=is_named, weights=weights)
    own = [meta["classes"][i] for i in meta["class_ids"]]
    wanted = ClassList(tuple(sorted(name for name in names if name is not None)))
    wanted.require_same(ClassList(tuple(sorted(own))), f"the segmenter and the gate '{path}'")
    order = [-1 if name is None else own.index(name) for name in names]
    return Gate(
        classifier.to(device),
        meta["mean"],
        meta["std"],
        meta.get("single_label", False),
        torch.tensor(order, device=device),
        threshold,
        form,
        meta.get("provenance", ()),
    )
