"""The training set of a segmenter: pictures with their label maps, seen through random crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from wsstool.data.crops import RandomCrop
from wsstool.data.images import read_image
from wsstool.errors import BadInputError
from wsstool.training.loader import Key, item_generator


class MaskedImages(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Pairs of image and label maps, indexed by (epoch, item).

    Args:
        paths: N image files.
        masks: item -> (L,H,W) uint8 class ids, 255 = ignore; picklable, for loader workers.
        view: draws the crop.
        seed: of the crops.
    """

    def __init__(
        self, paths: Sequence[Path], masks: Callable[[int], np.ndarray], view: RandomCrop, *, seed: int = 0
    ) -> None:
        self.paths, self.masks, self.view, self.seed = list(paths), masks, view, seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, torch.Tensor]:
        """Image (3,S,S) uint8 and label maps (L,S,S) uint8.

        Raises:
            BadInputError: the mask has another size than the picture.
        """
        epoch, item = key
        image, labels = read_image(self.paths[item]), self.masks(item)
        if labels.shape[1:] != image.shape[:2]:
            raise BadInputError(
                f"the mask of {self.paths[item]} is {labels.shape[2]} x {labels.shape[1]} pixels, "
                f"the image {image.shape[1]} x {image.shape[0]}"
            )
        view, maps = self.view(image, labels, item_generator(self.seed, epoch, item))
        return torch.from_numpy(view).movedim(-1, 0).contiguous(), torch.from_numpy(maps)
