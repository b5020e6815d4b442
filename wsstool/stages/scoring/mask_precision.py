"""COCO's average precision of the masks of boxes, from their run lengths; parts of a set are merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wsstool.data.geometry import rle
from wsstool.metrics.detection import DetectionScores, ImageBoxes
from wsstool.metrics.mask_overlap import run_areas, run_overlaps

NAMES = {
    "ap": "ap",
    "ap_50": "ap50",
    "ap_75": "ap75",
    "ap_small": "ap_small",
    "ap_medium": "ap_medium",
    "ap_large": "ap_large",
}
"""Name in the summary of masks of boxes -> name in ``DetectionScores.result``."""


@dataclass(frozen=True)
class MaskRuns:
    """One object of an image.

    Args:
        image: number of the image.
        class_id: class of the object.
        size: rows and columns of the image.
        runs: (R,) int32 run lengths of the mask in COCO's order.
        box: left, top, width and height of the tight box around the mask, pixels.
        score: of a detection, [0, 1].
    """

    image: int
    class_id: int
    size: tuple[int, int]
    runs: np.ndarray
    box: tuple[float, float, float, float]
    score: float = 1.0

    @classmethod
    def of_mask(cls, image: int, class_id: int, mask: np.ndarray, score: float = 1.0) -> MaskRuns:
        """Pack the (H, W) bool mask of one object."""
        runs = np.array(rle.encode(mask)["counts"], np.int32)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (0.0, 0.0, 0.0, 0.0)
        if len(rows):
            left, top = float(columns[0]), float(rows[0])
            box = left, top, float(columns[-1] + 1 - left), float(rows[-1] + 1 - top)
        return cls(image, class_id, (mask.shape[0], mask.shape[1]), runs, box, score)

    def content(self) -> dict[str, Any]:
        """Return the object as an entry of a COCO file."""
        return {
            "image_id": self.image,
            "category_id": self.class_id,
            "segmentation": {"size": list(self.size), "counts": rle.pack(self.runs.tolist())},
            "area": float(run_areas([self.runs])[0]),
            "bbox": list(self.box),
            "score": self.score,
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> MaskRuns:
        """Read what ``content`` gave; KeyError, TypeError, ValueError or BadInputError where it did not."""
        size, runs = rle.lengths(content["segmentation"])
        left, top, width, height = (float(v) for v in content["bbox"])
        image, class_id = int(content["image_id"]), int(content["category_id"])
        box, score = (left, top, width, height), float(content["score"])
        return cls(image, class_id, size, runs.astype(np.int32), box, score)


@dataclass
class MaskPrecision:
    """What average precision of masks needs, of any number of images.

    Args:
        truth: annotated objects.
        found: masks with scores.
        sizes: rows and columns of every image that takes part, by number.
    """

    truth: list[MaskRuns] = field(default_factory=list)
    found: list[MaskRuns] = field(default_factory=list)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)

    def result(self) -> dict[str, float | None]:
        """Return AP at IoU 0.50 to 0.95, at 0.50, at 0.75, and by size; None where no object counts."""
        parts: dict[int, dict[int, tuple[list[MaskRuns], list[MaskRuns]]]] = {i: {} for i in self.sizes}
        for which, rows in enumerate((self.found, self.truth)):
            for one in rows:
                parts[one.image].setdefault(one.class_id, ([], []))[which].append(one)
        total = DetectionScores()
        for image in sorted(parts):
            total.add_image({key: _compared(*both) for key, both in parts[image].items()})
        scores = total.result()
        return {name: scores[key] for name, key in NAMES.items()}

    def moved(self, to: Sequence[int]) -> MaskPrecision:
        """Return the same with image ``i`` numbered ``to[i]``, in the order of the new numbers."""

        def put(rows: list[MaskRuns]) -> list[MaskRuns]:
            return sorted((replace(one, image=to[one.image]) for one in rows), key=lambda one: one.image)

        sizes = dict(sorted((to[i], size) for i, size in self.sizes.items()))
        return MaskPrecision(put(self.truth), put(self.found), sizes)

    def merge(self, other: MaskPrecision, first: int) -> None:
        """Add other images, whose numbers begin at ``first`` from now on."""
        other = other.moved(range(first, first + 1 + max(other.sizes, default=0)))
        self.truth += other.truth
        self.found += other.found
        self.sizes |= other.sizes

    def content(self) -> dict[str, Any]:
        """Return plain values for a score file."""
        return {
            "truth": [one.content() for one in self.truth],
            "found": [one.content() for one in self.found],
            "sizes": [[i, *size] for i, size in self.sizes.items()],
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> MaskPrecision:
        """Read what ``content`` gave; KeyError, TypeError, ValueError or BadInputError where it did not."""
        sizes = {int(i): (int(h), int(w)) for i, h, w in content["sizes"]}
        truth, found = ([MaskRuns.of_content(one) for one in content[key]] for key in ("truth", "found"))
        if any(sizes.get(one.image) != one.size for one in truth + found):
            raise ValueError("an instance of no image, or of another size")
        return cls(truth, found, sizes)


def _compared(found: list[MaskRuns], true: list[MaskRuns]) -> ImageBoxes:
    nobody = np.zeros(len(true), bool)
    runs, theirs = ([one.runs for one in rows] for rows in (found, true))
    scores = np.array([one.score for one in found], np.float64)
    overlaps = run_overlaps(runs, theirs, nobody)
    return ImageBoxes(scores, run_areas(runs), overlaps, run_areas(theirs), nobody, nobody)
