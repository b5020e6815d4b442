"""The training dataset of a classifier: images with their tags, decoded once if they fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsstool.data.augmentation.transforms import RandomResizedCrop
from wsstool.data.images import read_image
from wsstool.errors import WsstoolError
from wsstool.training.epoch_loader import Key, item_generator
from wsstool.types import SILENT, Messages

CACHE_BYTES = 2**30
"""Decoded images are kept in memory up to this many bytes; loader processes share them."""


class Pictures:
    """Images by number, read once before training, so that undecodable ones are known before the first step.

    Args:
        paths: N files.
        limit: bytes of decoded images to keep; later ones are decoded again on each access.
        messages: shows the progress of reading.

    Attributes:
        failed: number -> why the image cannot be read.
    """

    def __init__(
        self, paths: Sequence[Path], *, limit: int = CACHE_BYTES, messages: Messages = SILENT
    ) -> None:
        self.paths = list(paths)
        self.failed: dict[int, str] = {}
        self._kept: dict[int, np.ndarray] = {}
        left = limit
        with messages.track(len(self.paths), "reading images") as advance, ThreadPoolExecutor(2) as pool:
            for start in range(0, len(self.paths), 64):  # at most 64 decoded images in flight at a time
                part = range(start, min(start + 64, len(self.paths)))
                for i, picture in zip(part, pool.map(self._try, part), strict=True):
                    if isinstance(picture, str):
                        self.failed[i] = picture
                    elif picture.nbytes <= left:
                        self._kept[i] = picture
                        left -= picture.nbytes
                    advance()

    def _try(self, i: int) -> np.ndarray | str:
        try:
            return read_image(self.paths[i])
        except WsstoolError as error:
            return str(error)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> np.ndarray:
        """(H,W,3) uint8 RGB."""
        kept = self._kept.get(i)
        return read_image(self.paths[i]) if kept is None else kept


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
        pictures: Pictures,
        tags: np.ndarray,
        items: Sequence[int],
        view: RandomResizedCrop,
        *,
        seed: int = 0,
    ) -> None:
        self.pictures, self.items, self.view, self.seed = pictures, list(items), view, seed
        self.tags = torch.from_numpy(np.asarray(tags, np.float32))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Return an image (3,S,S) uint8 and tags (K,) float32."""
        epoch, item = key
        view = self.view(self.pictures[self.items[item]], item_generator(self.seed, epoch, item))
        return torch.from_numpy(view).movedim(-1, 0).contiguous(), self.tags[item]
