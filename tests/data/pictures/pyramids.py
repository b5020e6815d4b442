"""Synthetic slides, written by tifffile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

SIZE = (300, 410)


def scene(rows: int = SIZE[0], columns: int = SIZE[1]) -> np.ndarray:
    """Smooth colours that tell every place from every other, (rows, columns, 3) uint8."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack([y * 200 // rows, x * 200 // columns, 60 + 0 * x], axis=2).astype(np.uint8)


def write_pyramid(
    path: Path,
    pixels: np.ndarray,
    levels: int = 3,
    *,
    mpp: float | None = 0.5,
    subifds: bool = True,
    description: str | None = None,
    **options: object,
) -> list[np.ndarray]:
    """Write a pyramid whose levels are halves of each other, rounded down; returns the levels."""
    made = [pixels]
    for _ in range(levels - 1):
        last = made[-1]
        made.append(np.ascontiguousarray(last[: last.shape[0] // 2 * 2 : 2, : last.shape[1] // 2 * 2 : 2]))
    shared = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib", "metadata": None, **options}
    if mpp is not None:
        shared |= {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as file:
        nested = {"subifds": levels - 1} if subifds and levels > 1 else {}
        file.write(made[0], description=description, **nested, **shared)
        for level in made[1:]:
            file.write(level, subfiletype=1, **shared)
    return made
