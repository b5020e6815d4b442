"""The training dataset of a classifier: images with their tags, decoded once if they fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsstool.training.epoch_loader import Key, item_generator
from wsstool.training.images.decoded_images import DecodedImages


class View(Protocol):
    """Interface of what draws a training crop: (H,W,3) uint8 and a generator -> (S,S,3) uint8."""

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray: ...

    def pair(self, image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the same crop and, of the same place, the one that a teacher sees."""
        ...


class TaggedImages(Dataset[tuple[Tensor, ...]]):
    """Random crops of images with their tags, indexed by (epoch, item).

    Args:
        images: N images.
        tags: (M,K) uint8, one column per foreground class.
        items: (M,) image number of each item.
        view: draws the crop.
        paired: also return the teacher's view.
        seed: of the crops.
    """

    def __init__(
        self,
        images: DecodedImages,
        tags: np.ndarray,
        items: Sequence[int],
        view: View,
        *,
        paired: bool = False,
        seed: int = 0,
    ) -> None:
        self.images, self.items, self.view, self.seed = images, list(items), view, seed
        self.tags = torch.from_numpy(np.asarray(tags, np.float32))
        self.paired = paired

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> tuple[Tensor, ...]:
        """Return an image (3,S,S) uint8, tags (K,) float32 and, if paired, another image (3,S,S) uint8."""
        epoch, item = key
        image, rng = self.images[self.items[item]], item_generator(self.seed, epoch, item)
        if not self.paired:
            return _channels_first(self.view(image, rng)), self.tags[item]
        student, teacher = self.view.pair(image, rng)
        return _channels_first(student), self.tags[item], _channels_first(teacher)


def _channels_first(view: np.ndarray) -> Tensor:
    return torch.from_numpy(view).movedim(-1, 0).contiguous()
