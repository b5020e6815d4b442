"""Classifiers without training: an image tower, and one vector of text per class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from wsstool.models.backbones.timm_network import TimmBackbone
from wsstool.models.image_text.tower import ImageTower, Positions

LOGIT_SCALE = 100.0
"""Factor of the cosines before the softmax: the upper limit, and in practice the end, of CLIP's training."""

SURE = 1e-6
"""Probabilities closer to 0 and 1 than this give finite logits all the same."""


class TextClassifier(ImageTower):
    """Compares images, and positions of images, with vectors of text.

    With e the embedding and v_k the vectors, both divided by their lengths, the probability of class k is the
    softmax of ``logit_scale`` e . v_k over all classes and the vectors of the background.

    Args:
        backbone: with its last layer, see ``tower_backbone``.
        vectors: (C,D) float, one per class, none zero.
        background: (K,D) float, what competes with the classes but is none of them; K may be 0.

    Source:
        Radford et al., ICML 2021 (CLIP), section 3.1. Written from the paper.
    """

    vectors: Tensor

    def __init__(self, backbone: TimmBackbone, vectors: Tensor, background: Tensor) -> None:
        super().__init__(backbone)
        self.n_classes = len(vectors)
        self.register_buffer("vectors", F.normalize(torch.cat([vectors, background]).float(), dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,H,W) -> (B,C): the log-odds of each class, so that their sigmoids are the probabilities."""
        return self.with_maps(x)[0]

    def with_maps(
        self, x: Tensor, positions: Positions = "auto", logit_scale: float = LOGIT_SCALE
    ) -> tuple[Tensor, Tensor]:
        """Return the log-odds of the classes of images, (B,C), and probabilities of positions, (B,C,h,w)."""
        image, maps = self.embeddings(x, positions)
        odds = torch.logit(self.probabilities(image, logit_scale), SURE)
        return odds, self.probabilities(maps, logit_scale)

    def probabilities(self, embeddings: Tensor, logit_scale: float = LOGIT_SCALE) -> Tensor:
        """Return the probability of each class: (B,D,...) -> (B,C,...)."""
        unit = F.normalize(embeddings.float(), dim=1)
        cosines = torch.einsum("kd,bd...->bk...", self.vectors, unit)
        return (logit_scale * cosines).softmax(1)[:, : self.n_classes]
