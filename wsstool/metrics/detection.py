"""Metrics of detections: COCO's average precision and recall, VOC's AP, the log-average miss rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from wsstool.metrics.sizes import SIZES

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = {"all": (0, math.inf), **SIZES}
LIMITS = (1, 10, 100)
_AT_50 = 0


@dataclass(frozen=True)
class ImageBoxes:
    """Detections and objects of one class in one image.

    Args:
        scores: (D,) of the detections.
        areas: (D,) of the detections, in pixels.
        overlaps: (D, G) IoU of each with each ground-truth object; for a crowd: shared area over the area of
            the detection.
        true_areas: (G,) in pixels, as annotated.
        crowd: (G,) bool: regions of many objects, in which detections are neither right nor wrong.
        difficult: (G,) bool: objects that VOC's scores ignore.
    """

    scores: np.ndarray
    areas: np.ndarray
    overlaps: np.ndarray
    true_areas: np.ndarray
    crowd: np.ndarray
    difficult: np.ndarray


@dataclass
class _ClassCounts:
    """Detections of a class over all images: one row each, the best first within an image."""

    scores: list[np.ndarray] = field(default_factory=list)
    places: list[np.ndarray] = field(default_factory=list)  #: rank within the image
    hits: dict[str, list[np.ndarray]] = field(default_factory=dict)  #: area -> (T, D) bool
    aside: dict[str, list[np.ndarray]] = field(default_factory=dict)  #: area -> (T, D) bool
    objects: dict[str, int] = field(default_factory=dict)
    voc: list[np.ndarray] = field(default_factory=list)  #: (D,) 1 right, 0 wrong, -1 ignored
    voc_objects: int = 0


class DetectionScores:
    """Accumulate detections over images; the order of images matters only between equal scores.

    Source: the COCO evaluation as defined by its documentation and its authors' example (AP over 10 IoU
        thresholds and 101 recalls; 1, 10, 100 detections per image); Everingham et al., IJCV 2010 and 2015;
        Dollar et al., PAMI 2012 (log-average miss rate, 9 rates of false positives from 0.01 to 1 per image).
        Written from the descriptions.
    """

    def __init__(self) -> None:
        self._classes: dict[int, _ClassCounts] = {}
        self.images = 0

    def add_image(self, classes: dict[int, ImageBoxes]) -> None:
        """Add one image: its classes that have a detection or an object."""
        self.images += 1
        for key, one in classes.items():
            self._add(self._classes.setdefault(key, _ClassCounts()), one)

    def merge(self, other: DetectionScores) -> None:
        """Add the counts of another set of images."""
        self.images += other.images
        for key, theirs in other._classes.items():
            own = self._classes.setdefault(key, _ClassCounts())
            own.scores += theirs.scores
            own.places += theirs.places
            own.voc += theirs.voc
            own.voc_objects += theirs.voc_objects
            for name in AREAS:
                own.hits.setdefault(name, []).extend(theirs.hits.get(name, []))
                own.aside.setdefault(name, []).extend(theirs.aside.get(name, []))
                own.objects[name] = own.objects.get(name, 0) + theirs.objects.get(name, 0)

    def _add(self, counts: _ClassCounts, one: ImageBoxes) -> None:
        order = np.argsort(-one.scores, kind="stable")[: LIMITS[-1]]
        counts.scores.append(one.scores[order])
        counts.places.append(np.arange(len(order)))
        overlaps, areas = one.overlaps[order], one.areas[order]
        for name, (low, high) in AREAS.items():
            ignored = one.crowd | (one.true_areas < low) | (one.true_areas > high)
            hit, aside = match(overlaps, ignored, one.crowd)
            aside |= ~hit & ((areas < low) | (areas > high))
            counts.hits.setdefault(name, []).append(hit & ~aside)
            counts.aside.setdefault(name, []).append(aside)
            counts.objects[name] = counts.objects.get(name, 0) + int((~ignored).sum())
        counts.voc.append(match_voc(overlaps, one.difficult, one.crowd))
        counts.voc_objects += int((~(one.difficult | one.crowd)).sum())

    def class_ids(self) -> list[int]:
        """The classes seen so far."""
        return sorted(self._classes)

    def precision(self, key: int, area: str = "all", limit: int = 100) -> np.ndarray | None:
        """Return the (10, 101) precision of a class by IoU threshold and recall; None without objects."""
        counts = self._classes[key]
        if not counts.objects.get(area):
            return None
        _, hits, aside = _ranked(counts, area, limit)
        found = np.zeros((len(THRESHOLDS), len(RECALLS)))
        right, wrong = np.cumsum(hits, 1), np.cumsum(~hits & ~aside, 1)
        recall = right / counts.objects[area]
        precision = right / np.maximum(right + wrong, np.spacing(1))
        precision = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
        for t in range(len(THRESHOLDS)):
            place = np.searchsorted(recall[t], RECALLS, side="left")
            reached = place < recall.shape[1]
            found[t, reached] = precision[t, place[reached]]
        return found

    def recall(self, key: int, area: str = "all", limit: int = 100) -> np.ndarray | None:
        """Return the (10,) share of the objects of a class that are found; None without objects."""
        counts = self._classes[key]
        if not counts.objects.get(area):
            return None
        return _ranked(counts, area, limit)[1].sum(1) / counts.objects[area]

    def voc_ap(self, key: int, eleven_points: bool = False) -> float | None:
        """Return the area under the precision-recall curve at IoU 0.5, or the 11-point mean (VOC 2007)."""
        counts = self._classes[key]
        if not counts.voc_objects:
            return None
        scores = np.concatenate(counts.scores)
        right = np.concatenate(counts.voc)[np.argsort(-scores, kind="stable")]
        right = right[right >= 0]
        recall = np.concatenate([[0], np.cumsum(right) / counts.voc_objects, [1]])
        precision = np.concatenate([[0], np.cumsum(right) / np.arange(1, len(right) + 1), [0]])
        best = np.maximum.accumulate(precision[::-1])[::-1]
        if eleven_points:
            at = np.linspace(0, 1, 11)
            reached = recall[1:-1] >= at[:, None] - 1e-12
            return float(np.where(reached, precision[1:-1], 0).max(1, initial=0).mean())
        return float((np.diff(recall) * best[1:]).sum())

    def miss_rate(self, key: int) -> float | None:
        """Return the geometric mean of the miss rate at 9 rates of false positives per image, IoU 0.5."""
        counts = self._classes[key]
        if not counts.objects.get("all"):
            return None
        _, hits, aside = _ranked(counts, "all", LIMITS[-1])
        right = np.cumsum(hits[_AT_50]) / counts.objects["all"]
        wrong = np.cumsum(~hits[_AT_50] & ~aside[_AT_50]) / max(1, self.images)
        rates = np.logspace(-2, 0, 9)
        # Whether a rate of exactly 0.1 counts must not hang on the last bit of the logarithms.
        place = np.searchsorted(wrong, rates * (1 + 1e-9), side="right") - 1
        missed = np.where(place >= 0, 1 - right[place] if len(right) else 1.0, 1.0)
        return float(np.exp(np.log(np.maximum(missed, 1e-10)).mean()))

    def result(self) -> dict[str, float | None]:
        """Return all metrics, means over the classes that have objects; None if no class has."""
        keys = self.class_ids()

        def mean(values: list[np.ndarray | float | None]) -> float | None:
            there = [np.mean(value) for value in values if value is not None]
            return float(np.mean(there)) if there else None

        precision = {name: [self.precision(key, name) for key in keys] for name in AREAS}
        found: dict[str, float | None] = {
            "ap": mean([*precision["all"]]),
            "ap50": mean([None if p is None else p[0] for p in precision["all"]]),
            "ap75": mean([None if p is None else p[5] for p in precision["all"]]),
        }
        for name in ("small", "medium", "large"):
            found[f"ap_{name}"] = mean([*precision[name]])
        for limit in LIMITS:
            found[f"ar{limit}"] = mean([self.recall(key, "all", limit) for key in keys])
        for name in ("small", "medium", "large"):
            found[f"ar_{name}"] = mean([self.recall(key, name) for key in keys])
        found["voc_ap"] = mean([self.voc_ap(key) for key in keys])
        found["voc_ap_11"] = mean([self.voc_ap(key, True) for key in keys])
        found["miss_rate"] = mean([self.miss_rate(key) for key in keys])
        return found

    def curve(self) -> dict[str, list[float]]:
        """Return the mean precision over classes at 101 recalls, for IoU 0.5, 0.75 and the mean of ten."""
        found = [p for key in self.class_ids() if (p := self.precision(key)) is not None]
        if not found:
            return {}
        mean = np.mean(found, 0)
        return {
            "recall": RECALLS.tolist(),
            "ap50": mean[0].tolist(),
            "ap75": mean[5].tolist(),
            "ap": mean.mean(0).tolist(),
        }


def _ranked(counts: _ClassCounts, area: str, limit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores (D,), hits (T, D) and ignored rows (T, D) of the best ``limit`` per image, in order."""
    scores, chosen = np.concatenate(counts.scores), np.concatenate(counts.places) < limit
    order = np.flatnonzero(chosen)
    order = order[np.argsort(-scores[order], kind="stable")]
    hits, aside = np.concatenate(counts.hits[area], 1), np.concatenate(counts.aside[area], 1)
    return scores[order], hits[:, order], aside[:, order]


def match(overlaps: np.ndarray, ignored: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match as COCO does: each detection, the best first, takes the free object that it overlaps most.

    Args:
        overlaps: (D, G), detections in falling order of score.
        ignored: (G,) bool: taken only if no other object fits; the detection is then ignored too.
        crowd: (G,) bool: may be taken repeatedly.
    Returns:
        (10, D) bool: matched to an object; and (10, D) bool: ignored with it.
    """
    n, shape = len(ignored), (len(THRESHOLDS), len(overlaps))
    hit, aside = np.zeros(shape, bool), np.zeros(shape, bool)
    if not n:
        return hit, aside
    least = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]
    free = np.ones((len(THRESHOLDS), n), bool)
    rows = np.arange(len(THRESHOLDS))
    for d, row in enumerate(overlaps):
        fits = np.where(free & (row >= least), row, -1.0)
        # Objects that count come before ignored ones; of equal overlaps the last one is taken.
        preferred = np.where(~ignored & (fits >= 0), fits + 2, fits)[:, ::-1]
        best = n - 1 - preferred.argmax(1)
        ok = fits[rows, best] >= 0
        hit[:, d], aside[:, d] = ok, ok & ignored[best]
        taken = ok & ~crowd[best]
        free[rows[taken], best[taken]] = False
    return hit, aside


def match_voc(
    overlaps: np.ndarray, difficult: np.ndarray, crowd: np.ndarray, threshold: float = 0.5
) -> np.ndarray:
    """Match as VOC does: a detection belongs to the object it overlaps most, and is wrong if that is taken.

    The overlap with a crowd is a share of the detection, not an IoU: it does not compete with an object's,
    and is used only if no object fits.

    Returns:
        (D,) 1 right, 0 wrong, -1 ignored (a difficult object or a crowd).
    """
    found = np.zeros(len(overlaps), np.int64)
    taken = np.zeros(len(difficult), bool)
    single = np.where(crowd, -1.0, overlaps)
    for d, row in enumerate(single):
        best = int(row.argmax()) if len(row) else -1
        if best >= 0 and row[best] >= threshold:
            found[d] = -1 if difficult[best] else int(not taken[best])
            taken[best] = True
        elif (overlaps[d, crowd] >= threshold).any():
            found[d] = -1
    return found
