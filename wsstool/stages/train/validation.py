"""Mean IoU of a network on ground-truth masks after the epochs of its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.segmentation import number as number_or_none
from wsstool.metrics.segmentation import segmentation_scores
from wsstool.models.class_probabilities import class_probabilities
from wsstool.models.classifier import normalise
from wsstool.stages.inputs.image_batches import plan_batches, read_batches
from wsstool.stages.inputs.label_maps import LabelMapDataset
from wsstool.stages.networks.whole_tokens import without_small
from wsstool.types import SILENT, Messages


class MeanIou:
    """Network -> ``{"val_mean_iou": ..., "val_iou": {class: IoU}}``, at one scale, without flip.

    Args:
        data: images with ground truth; unreadable ones are not counted.
        mean, std: of the input.
        batch_size: images of equal size per forward pass.
        workers: threads that decode.
        ids: class id of each output of the network.
        excluded: class whose ground-truth pixels are not counted, or None.
        messages: receives the IoU of each class.
    """

    def __init__(
        self,
        data: LabelMapDataset,
        mean: Sequence[float],
        std: Sequence[float],
        batch_size: int,
        workers: int,
        *,
        ids: Sequence[int],
        excluded: int | None = None,
        messages: Messages = SILENT,
    ) -> None:
        self.data, self.mean, self.std = data, list(mean), list(std)
        self.workers, self.messages = workers, messages
        self.ids, self.excluded = np.array(ids, np.uint8), excluded
        self.batches = plan_batches(data.sizes[data.numbers], batch_size)

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        numbers = self.data.numbers
        matrix = ConfusionMatrix(len(self.data.classes))
        device = next(network.parameters()).device
        paths = [self.data.paths[i] for i in numbers]
        batches = read_batches(paths, self.data.sizes[numbers], self.batches, self.workers)
        for indices, pictures in without_small(batches, network):
            good = [
                (numbers[i], p) for i, p in zip(indices, pictures, strict=True) if isinstance(p, np.ndarray)
            ]
            if not good:
                continue
            x = torch.from_numpy(np.stack([p for _, p in good])).movedim(-1, 1).to(device)
            probs = class_probabilities(
                [network],
                normalise(x, self.mean, self.std),
                stride=network.input_multiple,  # type: ignore[arg-type]
            )
            for (number, _), best in zip(good, probs.argmax(1).cpu().numpy(), strict=True):
                matrix.update(self.ids[best], self.data.masks(number)[0])
        scores = segmentation_scores(matrix.matrix, ignore_class=self.excluded)
        names = self.data.classes.names
        iou = {names[i]: number_or_none(float(scores.iou[i])) for i in self.ids.tolist()}
        said = ", ".join(f"{name} {'-' if value is None else f'{value:.4f}'}" for name, value in iou.items())
        self.messages.say(f"IoU on the validation images: {said}")
        return {"val_mean_iou": scores.mean_iou, "val_iou": iou}
