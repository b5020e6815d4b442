"""Train a segmenter on the label maps of several depths of a classifier at once."""

from __future__ import annotations

from typing import Any

import torch

from wsstool.training.cotraining.segmentation_task import Batch, CoTraining, Setup, one_of
from wsstool.training.losses.multilayer import multilayer_loss
from wsstool.training.plan import Progress


def multilayer(
    setup: Setup,
    *,
    loss: str = "cross-entropy",
    excluded: str = "channel",
    main: str = "",
    divide: bool = True,
) -> CoTraining:
    """Train on label maps of several depths, with a constant channel for pixels that belong to no class.

    Args:
        setup: see ``Setup``; its noise rate is not used.
        loss: cross-entropy, generalised, symmetric, or focal (of a map's mean, as published).
        excluded: how to treat pixels of ``--ignore-class``: channel, a constant logit represents them, as
            published; or index, they are ignored like 255.
        main: layer whose map determines the channel; default: the one with the largest weight.
        divide: divide the mean over pixels by the batch size once more, as published, which acts like a
            smaller learning rate.
    Source:
        Han et al., Medical Image Analysis 2022, section 3.4. Written from the paper.
    """
    return Multilayer(setup, loss=loss, excluded=excluded, main=main, divide=divide)


class Multilayer(CoTraining):
    """See ``multilayer``.

    Raises:
        UsageError: an unknown loss, form or layer.
    """

    more_losses = ("focal",)

    def __init__(self, setup: Setup, *, loss: str, excluded: str, main: str, divide: bool) -> None:
        one_of("excluded", excluded, ("channel", "index"))
        self.main = setup.layer(main) if main else setup.main_layer
        self.excluded, self.divide = excluded, divide
        super().__init__(setup, 1, loss)

    def prepared(self, batch: Batch) -> Batch:
        return self._prepared(batch, excluded=len(self.setup.class_names))

    def loss(self, batch: Batch, progress: Progress) -> dict[str, Any]:
        x, labels = self.prepared(batch)
        total: torch.Tensor = multilayer_loss(
            self.networks[0](x),
            labels,
            self.setup.layer_weights,
            main=self.main,
            kind=self.loss_kind,
            excluded=self.excluded,
        )
        return {"loss": total / len(x) if self.divide else total}
