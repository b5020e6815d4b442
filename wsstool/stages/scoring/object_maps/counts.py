"""The overlaps of object maps with their ground truth at each threshold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class MapCounts:
    """One row per object.

    Args:
        source: name of the file.
        truth: where the ground-truth masks are from.
        images: names of the images that were asked for.
        levels: T thresholds.
        failed: images that an earlier stage could not do.
        image: number of the image of each object.
        area: pixels of its ground truth; None: it has none.
        iou: T overlaps of each, None without ground truth.
        fit: T fits of the box around the map to the given box.
        root: data folder of the images, where it is known; not in score files.
    """

    source: str
    truth: str
    images: list[str]
    levels: tuple[float, ...]
    failed: int = 0
    image: list[int] = field(default_factory=list)
    area: list[int | None] = field(default_factory=list)
    iou: list[list[float] | None] = field(default_factory=list)
    fit: list[list[float]] = field(default_factory=list)
    root: Path | None = None

    def content(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return plain values: the rows as columns under ``objects``."""
        return {
            **summary,
            "levels": list(self.levels),
            "objects": {name: getattr(self, name) for name in ("image", "area", "iou", "fit")},
            "scored_images": self.images,
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> MapCounts:
        """Read what ``content`` gave."""
        columns = content["objects"]
        found = cls(
            content["source"],
            content["truth"],
            list(content["scored_images"]),
            tuple(float(level) for level in content["levels"]),
            int(content["failed"]),
            list(columns["image"]),
            list(columns["area"]),
            list(columns["iou"]),
            list(columns["fit"]),
        )
        for values in (*found.fit, *(one for one in found.iou if one is not None)):
            if len(values) != len(found.levels):
                raise ValueError("a row of other thresholds")
        if len({len(found.image), len(found.area), len(found.iou), len(found.fit)}) > 1:
            raise ValueError("columns of different lengths")
        if any(not 0 <= k < len(found.images) for k in found.image):
            raise ValueError("a row of no image")
        return found

    def join(self, other: MapCounts) -> None:
        """Add the objects of other images."""
        if other.levels != self.levels:
            raise ValueError("differs in the use of --sweep from")
        self.image += [k + len(self.images) for k in other.image]
        for name in ("area", "iou", "fit", "images"):
            getattr(self, name).extend(getattr(other, name))
        self.failed += other.failed

    def scored(self, min_area: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (N, T) overlaps and (N, T) fits of the objects with a ground truth of at least this area.

        They are in the order of the names of their images: no score depends on how a set was divided.
        """
        order = sorted(range(len(self.image)), key=lambda k: self.images[self.image[k]])
        rows = [k for k in order if (self.area[k] or -1) >= min_area and self.iou[k] is not None]
        shape = (len(rows), len(self.levels))
        return (
            np.array([self.iou[k] for k in rows], float).reshape(shape),
            np.array([self.fit[k] for k in rows], float).reshape(shape),
        )
