"""Write a label map of any size as a tiled pyramid TIFF with the colours of its classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import tifffile

_TILE = 512
_LARGE = 1 << 31  #: pixels; beyond, offsets may not fit into 32 bits


class LabelSource(Protocol):
    """A label map that need not be in memory, (H, W) uint8; parts of it are read by slices."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray: ...


def write_label_pyramid(
    path: Path, labels: LabelSource, palette: np.ndarray, mpp: float | None = None
) -> None:
    """Write a label map with levels down to a single tile, each made of every second pixel of the one before.

    Args:
        path: the file.
        labels: the label map, read tile by tile.
        palette: (256, 3) uint8, the colour of every label.
        mpp: microns per pixel, if known.
    """
    steps = [1]
    while max(labels.shape) > _TILE * steps[-1]:
        steps.append(steps[-1] * 2)
    with tifffile.TiffWriter(path, bigtiff=labels.shape[0] * labels.shape[1] > _LARGE) as file:
        for k, step in enumerate(steps):
            shape = -(-labels.shape[0] // step), -(-labels.shape[1] // step)
            per_cm = None if mpp is None else (1e4 / (mpp * step),) * 2
            file.write(
                _tiles(labels, step),
                shape=shape,
                dtype=np.uint8,
                tile=(_TILE, _TILE),
                photometric="palette",
                colormap=palette.T.astype(np.uint16) * 257,
                compression="zlib",
                metadata=None,
                subifds=len(steps) - 1 if k == 0 else None,
                subfiletype=1 if k else 0,
                resolution=per_cm,
                resolutionunit=None if per_cm is None else "CENTIMETER",
            )


def _tiles(labels: LabelSource, step: int) -> Iterator[np.ndarray]:
    rows, columns = labels.shape
    side = _TILE * step
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            part = labels[top : top + side : step, left : left + side : step]
            yield np.pad(part, [(0, _TILE - side) for side in part.shape])
