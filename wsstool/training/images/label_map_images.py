"""The training dataset of a segmenter: random crops of images and their label maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from wsstool.data.augmentation.crops import RandomCrop
from wsstool.errors import BadInputError
from wsstool.training.epoch_loader import Key, item_generator
from wsstool.types import IGNORE


class MaskedImages(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Pairs of image and label maps, indexed by (epoch, item). Picklable if its two sources are.

    Args:
        images: number -> (H,W,3) uint8 RGB.
        masks: number -> (L,H,W) uint8 class ids, 255 = ignore.
        numbers: (N,) image number of each item.
        n_classes: C; a label from C to 254 is an error.
        view: draws the crop.
        seed: of the crops.
    """

    def __init__(
        self,
        images: Callable[[int], np.ndarray],
        masks: Callable[[int], np.ndarray],
        numbers: Sequence[int],
        n_classes: int,
        view: RandomCrop,
        *,
        seed: int = 0,
    ) -> None:
        self.images, self.masks, self.numbers = images, masks, list(numbers)
        self.n_classes, self.view, self.seed = n_classes, view, seed

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, torch.Tensor]:
        """Return an image (3,S,S) uint8 and label maps (L,S,S) uint8.

        Raises:
            BadInputError: a label that is not a class id.
        """
        epoch, item = key
        number = self.numbers[item]
        rng = item_generator(self.seed, epoch, item)
        view, maps = self.view(self.images(number), self.masks(number), rng)
        if ((maps >= self.n_classes) & (maps != IGNORE)).any():
            largest = int(maps[maps != IGNORE].max())
            raise BadInputError(
                f"a mask contains class {largest}, but the class list ends at {self.n_classes - 1}"
            )
        return torch.from_numpy(view).movedim(-1, 0).contiguous(), torch.from_numpy(maps)
