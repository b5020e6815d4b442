"""Map boxes with a segmenter: the probability of the box's class relative to all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsstool.data.augmentation.box_windows import margin_window
from wsstool.data.class_match import class_ids, listed
from wsstool.errors import BadInputError
from wsstool.models.contour_maps import Window
from wsstool.models.weights import Weights
from wsstool.regions import Boxes
from wsstool.stages.networks.segmenter import OpenedSegmenter, open_segmenter
from wsstool.types import ClassList


@dataclass(frozen=True)
class ClassMapper:
    """A segmenter, and which of its outputs the classes of the boxes are.

    The map of a box of class c is ``p_c / (p_c + max over the others p_k)``, 0.5 where c is as likely as the
    likeliest other class.

    Attributes:
        trained: the segmenter.
        outputs: (C,) number of the output of each class of the boxes, -1 for those that no box has.
        margins: of the windows that are written; the network sees whole images.
        flip: average with the horizontally flipped image.
    """

    trained: OpenedSegmenter
    outputs: np.ndarray
    margins: tuple[float, ...]
    flip: bool = False

    @property
    def meta(self) -> dict[str, Any]:
        """The description in the weights file."""
        return self.trained.meta

    def windows(self, boxes: Boxes, size: tuple[int, int]) -> list[Window]:
        """The window of each box that its map is written for."""
        return [margin_window(box, max(self.margins), size) for box in boxes.xyxy]

    def __call__(self, image: np.ndarray, boxes: Boxes) -> list[np.ndarray]:
        """The map of each box on its window, (h, w) float32, 0 to 1; ``image``: (H,W,3) uint8."""
        if not len(boxes):
            return []
        device = next(self.trained.networks[0].parameters()).device
        pixels = torch.from_numpy(np.require(image, requirements=("C", "W"))).movedim(-1, 0)[None].to(device)
        probs = self.trained.probabilities(pixels, flip=self.flip)[0].cpu().numpy()
        found = []
        windows = self.windows(boxes, (image.shape[0], image.shape[1]))
        for class_id, (x0, y0, x1, y1) in zip(boxes.class_ids.tolist(), windows, strict=True):
            part = probs[:, y0:y1, x0:x1]
            output = int(self.outputs[class_id])
            own, others = part[output], np.delete(part, output, 0).max(0, initial=0.0)
            found.append(own / np.maximum(own + others, 1e-12))
        return found


def open_class_mapper(
    weights: Path,
    device: torch.device,
    classes: ClassList,
    present: Sequence[int],
    *,
    margins: tuple[float, ...],
    flip: bool = False,
    loaded: Weights | None = None,
) -> ClassMapper:
    """The segmenter of a weights file, for boxes of these classes.

    Args:
        weights: the file.
        device: where it computes.
        classes: of the boxes.
        present: ids of the classes that boxes are of.
        margins, flip: see ``ClassMapper``.
        loaded: result of ``load_weights`` for the file, if it has been read already.

    Raises:
        BadInputError: a class of a box that the segmenter does not know. Others: see ``open_segmenter``.
    """
    trained = open_segmenter(weights, device, classes, loaded=loaded)
    known = ClassList(tuple(trained.classes.names[i] for i in trained.ids.tolist()))
    outputs = np.array(class_ids(known, classes.names), np.int64)
    for class_id in present:
        if outputs[class_id] < 0:
            raise BadInputError(
                f"'{weights}' has no class '{classes.names[class_id]}', which the boxes use; its classes "
                f"are {listed(known)}"
            )
    return ClassMapper(trained, outputs, margins, flip)
