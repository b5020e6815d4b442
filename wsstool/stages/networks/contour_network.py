"""Open a trained contour network and map the boxes of an image with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsstool.data.augmentation.box_windows import margin_window, whole_view, window_view
from wsstool.data.class_match import class_ids, listed
from wsstool.errors import BadInputError
from wsstool.models.contour import ContourNet
from wsstool.models.contour_maps import ObjectCrop, Window, joined, view_maps
from wsstool.models.weights import Weights, build_from_weights
from wsstool.regions import Boxes
from wsstool.types import ClassList

DEFAULT_MARGINS = (0.25,)
"""Around the box, as a share of its sides: near the middle of the range that training draws from."""


@dataclass(frozen=True)
class ContourMapper:
    """A contour network and the windows that it sees of a box.

    Attributes:
        network: in eval mode on its device.
        meta: the description in the weights file.
        margins: of the windows whose maps are averaged; the largest is that of the record.
        flip: average with the horizontally flipped windows.
        batch_size: windows per pass.
        class_ids: (C,) number in the network of each class of the boxes, where it depends on the class.
    """

    network: ContourNet
    meta: dict[str, Any]
    margins: tuple[float, ...] = DEFAULT_MARGINS
    flip: bool = False
    batch_size: int = 16
    class_ids: np.ndarray | None = None

    def windows(self, boxes: Boxes, size: tuple[int, int]) -> list[Window]:
        """The window of each box that its map covers."""
        if self.meta["window"] == "image":
            return [(0, 0, size[1], size[0])] * len(boxes)
        return [margin_window(box, max(self.margins), size) for box in boxes.xyxy]

    def __call__(self, image: np.ndarray, boxes: Boxes) -> list[np.ndarray]:
        """The map of each box on its window, float, 0 to 1.

        Args:
            image: (H,W,3) uint8.
            boxes: inside it.
        """
        size = (image.shape[0], image.shape[1])
        side, views = int(self.meta["image_size"]), []
        is_whole = self.meta["window"] == "image"
        margins = (0.0,) if is_whole else self.margins
        numbers = boxes.class_ids if self.class_ids is None else self.class_ids[boxes.class_ids]
        for box, class_id in zip(boxes.xyxy, numbers.tolist(), strict=True):
            for margin in margins:
                if is_whole:
                    window = (0, 0, size[1], size[0])
                    view = whole_view(image, box, side)
                else:
                    window = margin_window(box, margin, size)
                    view = window_view(image, box, window, side)
                views.append(ObjectCrop(view.image, view.extent, window, class_id))
        maps = view_maps(
            self.network,
            views,
            mean=self.meta["mean"],
            std=self.meta["std"],
            flip=self.flip,
            batch_size=self.batch_size,
        )
        found = []
        for k, into in enumerate(self.windows(boxes, size)):
            own = slice(k * len(margins), (k + 1) * len(margins))
            found.append(joined(maps[own], [view.window for view in views[own]], into))
        return found


def open_contour_mapper(
    weights: Path,
    loaded: Weights,
    device: torch.device,
    classes: ClassList,
    *,
    margins: tuple[float, ...] = DEFAULT_MARGINS,
    flip: bool = False,
    batch_size: int = 16,
) -> ContourMapper:
    """Open the contour network of a weights file.

    Args:
        weights: the file.
        loaded: its content.
        device: where it computes.
        classes: of the boxes; a network conditioned on the class must have been trained for them, in any
            order.
        margins, flip, batch_size: see ``ContourMapper``.

    Raises:
        BadInputError: other weights, damaged ones, or other classes.
    """
    if loaded.meta.get("task") != "contour":
        raise BadInputError(f"'{weights}' is not a contour network; train one with 'wsstool train-contour'")
    network, meta = build_from_weights(weights, loaded)
    assert isinstance(network, ContourNet)
    ids = None
    if meta.get("condition") == "class":
        known = ClassList(tuple(meta["classes"]))
        ids = np.array(class_ids(known, classes.names), np.int64)
        if (ids[list(classes.foreground)] < 0).any():
            raise BadInputError(
                f"'{weights}' uses the class of each box but was trained for different classes: "
                f"{listed(known)}; those of the boxes are {listed(classes)}"
            )
    return ContourMapper(network.to(device), meta, margins, flip, batch_size, ids)
