"""The training dataset of a classifier: images with their tags, decoded once if they fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsstool.data.augmentation.transforms import RandomResizedCrop
from wsstool.training.epoch_loader import Key, item_generator
from wsstool.training.images.decoded_images import DecodedImages


class TaggedImages(Dataset[tuple[Tensor, Tensor]]):
    """Random crops of images with their tags, indexed by (epoch, item).

    Args:
        pictures: N images.
        tags: (M,K) uint8, one column per foreground class.
        items: (M,) image number of each item.
        view: draws the crop.
        seed: of the crops.
    """

    def __init__(
        self,
        images: DecodedImages,
        tags: np.ndarray,
        items: Sequence[int],
        view: RandomResizedCrop,
        *,
        seed: int = 0,
    ) -> None:
        self.images, self.items, self.view, self.seed = images, list(items), view, seed
        self.tags = torch.from_numpy(np.asarray(tags, np.float32))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Return an image (3,S,S) uint8 and tags (K,) float32."""
        epoch, item = key
        view = self.view(self.images[self.items[item]], item_generator(self.seed, epoch, item))
        return torch.from_numpy(view).movedim(-1, 0).contiguous(), self.tags[item]
