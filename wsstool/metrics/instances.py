"""Metrics of box-supervised instance masks: one row per object, scores over rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from wsstool.metrics.bootstrap import mean_interval
from wsstool.metrics.boundary import boundary
from wsstool.metrics.sizes import SIZES

_FIELDS = (
    "image",
    "class_id",
    "area",
    "iou",
    "intersection",
    "union",
    "boundary_iou",
    "boundary_f",
    "box_fit",
    "coverage",
    "box",
    "ellipse",
    "score",
    "fallback",
    "box_area",
)


@dataclass(frozen=True)
class Overlap:
    """Pixel counts of one mask and its ground truth, and the scores of their outlines."""

    intersection: int
    union: int
    boundary_iou: float
    boundary_f: float

    @property
    def iou(self) -> float:
        """The IoU; 1 if both are empty."""
        return self.intersection / self.union if self.union else 1.0


class Width(NamedTuple):
    """The width of boundaries, ``max(1, round(ratio * diagonal))`` pixels.

    Args:
        ratio: see above, (0, 1); 0.02 is usual.
        of: ``image``: the diagonal of the image, as published; ``object``: that of the box around the
            object's ground truth. An object as small as a nucleus lies within 2 % of the image's diagonal
            altogether, so that its boundary scores repeat its IoU; measured by the object they do not.

    Source:
        Cheng et al., CVPR 2021, section 4, for ``image``; ``object`` is that definition for the picture cut
        out around the object.
    """

    ratio: float = 0.02
    of: str = "image"

    def pixels(self, truth: np.ndarray) -> int:
        """Return the width for an object with the (H, W) bool ground truth."""
        sides: tuple[int, ...] = truth.shape
        if self.of == "object" and truth.any():
            sides = tuple(int(np.ptp(np.flatnonzero(truth.any(axis)))) + 1 for axis in (0, 1))
        return max(1, round(self.ratio * math.hypot(*sides)))

    def in_words(self) -> str:
        """Return the definition as text."""
        return f"{self.ratio * 100:g} % of the diagonal of the {self.of}, at least one pixel"


PUBLISHED = Width()
"""The published width: 2 % of the diagonal of the image."""


def overlap(mask: np.ndarray, truth: np.ndarray, width: Width = PUBLISHED) -> Overlap:
    """Compare a mask with the ground truth of one object.

    Boundary IoU is the IoU of the bands inside the two outlines; boundary F is the harmonic mean of the
    shares of each outline (one pixel wide) that lie near the other. Both the bands and "near" have a width
    of ``width.pixels(truth)``.

    Args:
        mask, truth: (H, W) bool of the image.
        width: of the boundaries.

    Source:
        Cheng et al., CVPR 2021 (boundary IoU); Csurka et al., BMVC 2013 (boundary F). Written from
        the papers.

    Example:
        >>> square = np.zeros((9, 9), bool); square[2:7, 2:7] = True
        >>> overlap(square, square).iou, overlap(square, square).boundary_f
        (1.0, 1.0)
    """
    distance = width.pixels(truth)
    both = mask | truth
    if not both.any():
        return Overlap(0, 0, 1.0, 1.0)
    rows, columns = np.flatnonzero(both.any(1)), np.flatnonzero(both.any(0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    # Outside the image there is no object: padded like this, its edge counts as outline.
    a, b = (np.pad(one[part], distance + 1).astype(np.uint8) for one in (mask, truth))
    bands = [boundary(one, distance) & (one == 1) for one in (a, b)]
    common, either = (bands[0] & bands[1]).sum(), (bands[0] | bands[1]).sum()
    lines = [boundary(one, 1) & (one == 1) for one in (a, b)]
    shares = []
    for here, there in (lines, lines[::-1]):
        near = boundary(there.astype(np.uint8), distance) | there
        shares.append((here & near).sum() / here.sum() if here.any() else 0.0)
    f = 2 * shares[0] * shares[1] / sum(shares) if sum(shares) else 0.0
    return Overlap(int((mask[part] & truth[part]).sum()), int(both.sum()), float(common / either), float(f))


class InstanceScores:
    """Rows of objects; scores over those whose ground truth is large enough.

    Args:
        n_classes: number of classes.
        min_area: minimum area of the ground-truth mask for an object to count, pixels.
    """

    def __init__(self, n_classes: int, *, min_area: int = 100) -> None:
        self.n_classes, self.min_area = n_classes, min_area
        self._rows: list[tuple[float, ...]] = []

    def update(
        self,
        *,
        image: int,
        class_id: int,
        box_fit: float,
        coverage: float,
        score: float,
        fallback: bool,
        area: int = -1,
        found: Overlap | None = None,
        box: float = math.nan,
        ellipse: float = math.nan,
        box_area: float = math.nan,
    ) -> None:
        """Add one object.

        Args:
            image: number of its image.
            class_id: its class.
            box_fit: IoU of the mask's bounding box with the given box.
            coverage: share of the box that the mask fills.
            score: quality given by the method that made the mask.
            fallback: whether a fallback made it.
            area: pixels of the ground-truth mask; -1: there is none.
            found: the mask compared with the ground truth.
            box, ellipse: IoU of the filled box and of the ellipse with the ground truth.
            box_area: pixels of the given box; unknown: never large enough.
        """
        one = found
        measured = (
            (math.nan,) * 5
            if one is None
            else (one.iou, one.intersection, one.union, one.boundary_iou, one.boundary_f)
        )
        self._rows.append(
            (image, class_id, area, *measured, box_fit, coverage, box, ellipse, score, fallback, box_area)
        )

    def merge(self, other: InstanceScores) -> None:
        """Add the rows of other images; their numbers must differ from those here."""
        if (self.n_classes, self.min_area) != (other.n_classes, other.min_area):
            raise ValueError("cannot merge scores with different classes or minimum areas")
        self._rows += other._rows

    @classmethod
    def of_table(cls, n_classes: int, table: Mapping[str, np.ndarray], *, min_area: int = 100) -> Self:
        """Restore the scores from the columns that ``table`` returned.

        Raises:
            KeyError, ValueError: columns missing or of different lengths, an unknown class.
        """
        rows = np.stack([np.asarray(table[name], np.float64) for name in _FIELDS], 1)
        numbers = rows[:, [_FIELDS.index("image"), _FIELDS.index("class_id")]]
        if not ((numbers >= 0).all() and (numbers[:, 1] < n_classes).all()):
            raise ValueError("rows of unknown images or classes")
        scores = cls(n_classes, min_area=min_area)
        scores._rows = [tuple(row) for row in rows.tolist()]
        return scores

    def moved(self, by: int) -> Self:
        """Return the same rows with ``by`` added to the image numbers."""
        table = self.table()
        table["image"] += by
        return self.of_table(self.n_classes, table, min_area=self.min_area)

    def table(self) -> dict[str, np.ndarray]:
        """Return the rows as columns, (R,) float64 each."""
        rows = np.array(self._rows, np.float64).reshape(-1, len(_FIELDS))
        return dict(zip(_FIELDS, rows.T, strict=True))

    @property
    def counted(self) -> np.ndarray:
        """Objects with a ground-truth mask of at least ``min_area`` pixels, (R,) bool."""
        return self.table()["area"] >= max(self.min_area, 1)

    def result(
        self, *, bootstrap: int = 1000, groups: Sequence[object] | None = None, seed: int = 0
    ) -> dict[str, Any]:
        """Return all scores as plain values; None if nothing was measured.

        An object counts by the pixels of its ground-truth mask. ``by_box_area`` is the mean IoU under the
        other common rule, the area of the box, which also admits thin objects in large boxes.

        Args:
            bootstrap: resamples for the 95 % interval of the mean IoU, by whole images; 0: none.
            groups: one value per image number, whose equal values are resampled together; None: by image.
            seed: of the resampling.
        """
        rows, counted = self.table(), self.counted
        iou, image = rows["iou"][counted], rows["image"][counted].astype(np.int64)
        said: dict[str, Any] = {
            "objects": len(counted),
            "scored": int(counted.sum()),
            "without_truth": int((rows["area"] < 0).sum()),
            "too_small": int(((rows["area"] >= 0) & ~counted).sum()),
            "instance_miou": _mean(iou),
            "share_50": _mean(iou >= 0.5),
            "share_70": _mean(iou >= 0.7),
            "overall_iou": _ratio(rows["intersection"][counted].sum(), rows["union"][counted].sum()),
            "boundary_iou": _mean(rows["boundary_iou"][counted]),
            "boundary_f": _mean(rows["boundary_f"][counted]),
            "box_fit": _mean(rows["box_fit"]),
            "coverage": _mean(rows["coverage"]),
            "score": _mean(rows["score"]),
            "score_order": _rank_correlation(rows["score"][counted], iou),
            "fallbacks": int(rows["fallback"].sum()),
            "blind": {"box": _mean(rows["box"][counted]), "ellipse": _mean(rows["ellipse"][counted])},
            "by_box_area": _means(rows, (rows["area"] > 0) & (rows["box_area"] >= self.min_area)),
            "by_size": {
                name: {"objects": int(chosen.sum()), "instance_miou": _mean(rows["iou"][chosen])}
                for name, (low, high) in SIZES.items()
                for chosen in [counted & (rows["area"] >= low) & (rows["area"] < high)]
            },
        }
        if bootstrap and len(iou):
            said["interval"] = vars(mean_interval(iou, image, groups=groups, samples=bootstrap, seed=seed))
        classes = rows["class_id"][counted].astype(np.int64)
        number = np.bincount(classes, minlength=self.n_classes)
        total = np.bincount(classes, iou, minlength=self.n_classes)
        said["class_iou"] = [float(t / n) if n else None for t, n in zip(total, number, strict=True)]
        said["class_objects"] = number.tolist()
        return said


def _means(rows: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, Any]:
    """Return the mean IoU of the (R,) chosen objects, beside the blind baselines."""
    found = {"instance_miou": "iou", "box": "box", "ellipse": "ellipse"}
    return {"objects": int(chosen.sum())} | {n: _mean(rows[k][chosen]) for n, k in found.items()}


def _rank_correlation(score: np.ndarray, iou: np.ndarray) -> float | None:
    """Return Spearman's rank correlation; None if score or IoU is constant."""
    if len(score) < 3 or np.ptp(score) == 0 or np.ptp(iou) == 0:
        return None
    from scipy.stats import spearmanr  # half a second to import

    return float(spearmanr(score, iou).statistic)


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _ratio(a: float, b: float) -> float | None:
    return float(a / b) if b else None
