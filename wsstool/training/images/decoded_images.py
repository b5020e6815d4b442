"""The images of a training run, decoded once and kept where memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from wsstool.data.images import read_image
from wsstool.errors import WsstoolError
from wsstool.types import SILENT, Messages

CACHE_BYTES = 2**30
"""Decoded images are kept in memory up to this many bytes; loader processes share them."""


class DecodedImages:
    """Images by number, all read once before training: what cannot be decoded is known before the first step.

    Args:
        paths: N files.
        limit: bytes of decoded images to keep; later ones are read again whenever they are asked for.
        messages: shows the progress of reading.
        change: applied to each decoded image and its number.
        least_side: images with a shorter side are left out, pixels.

    Attributes:
        failed: number -> why the image cannot be used.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        limit: int = CACHE_BYTES,
        messages: Messages = SILENT,
        change: Callable[[np.ndarray, int], np.ndarray] | None = None,
        least_side: int = 0,
    ) -> None:
        self.paths, self._change = list(paths), change
        self._least_side = least_side
        self.failed: dict[int, str] = {}
        self._kept: dict[int, np.ndarray] = {}
        left = limit
        with messages.track(len(self.paths), "reading images") as advance, ThreadPoolExecutor(2) as pool:
            for start in range(0, len(self.paths), 64):  # no more than 64 images on their way at a time
                part = range(start, min(start + 64, len(self.paths)))
                for i, image in zip(part, pool.map(self._try, part), strict=True):
                    if isinstance(image, str):
                        self.failed[i] = image
                    elif image.nbytes <= left:
                        self._kept[i] = image
                        left -= image.nbytes
                    advance()

    def _try(self, i: int) -> np.ndarray | str:
        try:
            image = self._read(i)
        except WsstoolError as error:
            return str(error)
        if min(image.shape[:2]) < self._least_side:
            rows, columns = image.shape[:2]
            least = self._least_side
            return f"{columns} x {rows} pixels are too few: each side needs at least {least} pixels"
        return image

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> np.ndarray:
        """(H,W,3) uint8 RGB."""
        kept = self._kept.get(i)
        return self._read(i) if kept is None else kept

    def _read(self, i: int) -> np.ndarray:
        image = read_image(self.paths[i])
        return self._change(image, i) if self._change else image
