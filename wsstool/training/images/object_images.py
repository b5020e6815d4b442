"""The training dataset of a contour network: one item per object, in a randomly drawn window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsstool.data.augmentation.box_windows import ObjectViews
from wsstool.training.epoch_loader import Key, item_generator


@dataclass(frozen=True)
class Object:
    """One object: image number, index among the boxes there, box, class and id."""

    image: int
    number: int
    box: np.ndarray  #: (4,) float32 xyxy
    class_id: int = 0
    box_id: int = -1


class ObjectImages(Dataset[dict[str, Tensor]]):
    """Crops of objects, indexed by (epoch, item).

    Args:
        images: number -> (H,W,3) uint8 RGB.
        objects: the items.
        view: draws the window.
        masks: object -> (H,W) uint8 mask, 1 object, 0 not, 255 unknown; None: no masks.
        seed: of the windows.
    """

    def __init__(
        self,
        images: Callable[[int], np.ndarray],
        objects: Sequence[Object],
        view: ObjectViews,
        *,
        masks: Callable[[Object], np.ndarray] | None = None,
        seed: int = 0,
    ) -> None:
        self.images, self.objects, self.view = images, list(objects), view
        self.masks, self.seed = masks, seed

    def __len__(self) -> int:
        return len(self.objects)

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """Return ``image`` (3,S,S) uint8, ``box`` (4,) float32, ``extent`` (2,) and ``class`` () int64.

        With masks also ``mask`` (S,S) uint8.
        """
        epoch, item = key
        one = self.objects[item]
        mask = None if self.masks is None else self.masks(one)
        view = self.view(self.images(one.image), one.box, item_generator(self.seed, epoch, item), mask)
        found = {
            "image": torch.from_numpy(view.image.copy()).movedim(-1, 0).contiguous(),
            "box": torch.from_numpy(view.box),
            "extent": torch.tensor(view.extent),
            "class": torch.tensor(one.class_id),
        }
        if view.mask is not None:
            found["mask"] = torch.from_numpy(view.mask.copy())
        return found
