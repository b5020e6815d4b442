"""Coverage of objects by proposals: average best overlap, recall and average recall, without dense masks.

A proposal is a union of superpixels, so its overlap with a ground-truth mask follows from the number of its
pixels in each superpixel: one product of two small matrices per image.

Source: Uijlings et al., IJCV 2013 (average best overlap); Hosang, Benenson, Dollár and Schiele, What Makes
for Effective Detection Proposals?, PAMI 2016 (average recall); COCO (sizes, the ten thresholds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from wsstool.metrics.box_overlap import box_overlaps
from wsstool.metrics.sizes import SIZES
from wsstool.regions import Proposals, proposal_boxes

COUNTS = (10, 100, 1000, 0)
"""Numbers of best proposals to evaluate; 0: all."""

RECALLS = (0.5, 0.7, 0.85)
AVERAGED = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""IoU thresholds of the recalls, and of average recall."""


def mask_overlaps(proposals: Proposals, members: np.ndarray, truth: Sequence[np.ndarray]) -> np.ndarray:
    """Return (G, P) float64: IoU of each ground-truth mask with each proposal.

    Args:
        members: (P, S) bool, ``proposals.members()``.
        truth: G masks, (H, W) bool.
    """
    n = members.shape[1]
    flat = proposals.superpixels.reshape(-1)
    sizes = np.bincount(flat, minlength=n).astype(float)
    inside = np.zeros((len(truth), n))
    for row, mask in zip(inside, truth, strict=True):
        row[:] = np.bincount(flat[mask.reshape(-1)], minlength=n)
    held = members.astype(float)
    shared = inside @ held.T
    either = inside.sum(1)[:, None] + held @ sizes - shared
    return shared / np.maximum(either, 1)


def best_unions(superpixels: np.ndarray, truth: Sequence[np.ndarray]) -> np.ndarray:
    """Return (G,) float64: the best IoU of each ground-truth mask with any union of superpixels.

    It is reached by some number of the superpixels with the largest share in the mask, and bounds whatever
    is selected from the proposals.

    >>> best_unions(np.array([[0, 0, 0, 1, 1, 2]]), [np.array([[0, 1, 1, 1, 1, 0]], bool)])
    array([0.8])
    """
    flat = superpixels.reshape(-1)
    sizes = np.bincount(flat).astype(float)
    found = np.zeros(len(truth))
    for g, mask in enumerate(truth):
        inside = np.bincount(flat[mask.reshape(-1)], minlength=len(sizes))
        order = np.argsort(-inside / sizes, kind="stable")
        shared = np.cumsum(inside[order])
        either = inside.sum() + np.cumsum(sizes[order]) - shared
        found[g] = (shared / either).max()
    return found


def best_of_first(overlaps: np.ndarray) -> np.ndarray:
    """Return (G, len(COUNTS)): the best overlap among the first N proposals; 0 if there are none."""
    if not overlaps.shape[1]:
        return np.zeros((len(overlaps), len(COUNTS)))
    running = np.maximum.accumulate(overlaps, axis=1)
    return running[:, [min(n or overlaps.shape[1], overlaps.shape[1]) - 1 for n in COUNTS]]


@dataclass
class ProposalScores:
    """Best overlaps of all objects. ``merge`` of parts equals one pass over all images.

    Args:
        masks: (G, len(COUNTS)) best mask overlaps, NaN for objects without a ground-truth mask.
        boxes: the same of the boxes.
        unions: (G,) best overlap of any union of superpixels, NaN as above.
        areas: (G,) pixels.
        counts: proposals of each image.
    """

    masks: list[np.ndarray] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    unions: list[np.ndarray] = field(default_factory=list)
    areas: list[np.ndarray] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, proposals: Proposals | None, truth: Sequence[np.ndarray | None], boxes: np.ndarray) -> None:
        """Add an image.

        Args:
            proposals: None if the image failed: none of its objects is found.
            truth: G masks, (H, W) bool; None for an object that has only a box.
            boxes: (G, 4) xyxy.
        """
        known = [g for g, mask in enumerate(truth) if mask is not None]
        masks = np.full((len(truth), len(COUNTS)), np.nan)
        masks[known] = 0
        found = np.zeros((len(truth), len(COUNTS)))
        unions = masks[:, 0].copy()
        if proposals is not None and len(proposals):
            members = proposals.members()
            given = [mask for mask in truth if mask is not None]
            unions[known] = best_unions(proposals.superpixels, given)
            masks[known] = best_of_first(mask_overlaps(proposals, members, given))
            found = best_of_first(box_overlaps(boxes, proposal_boxes(proposals)))
        extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1).astype(float)
        extent[known] = [float(mask.sum()) for mask in truth if mask is not None]
        self.masks.append(masks)
        self.boxes.append(found)
        self.unions.append(unions)
        self.areas.append(extent)
        self.counts.append(0 if proposals is None else len(proposals))

    def merge(self, other: ProposalScores) -> None:
        """Add the images of another part."""
        self.masks += other.masks
        self.boxes += other.boxes
        self.unions += other.unions
        self.areas += other.areas
        self.counts += other.counts

    def columns(self) -> dict[str, list[Any]]:
        """Return the fields by name, each a list with one entry per object or image."""
        return {one.name: list(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def of_columns(cls, columns: Mapping[str, Sequence[Any]]) -> ProposalScores:
        """Restore the scores from ``columns``, also from plain lists with None for NaN.

        Raises:
            KeyError, ValueError, TypeError: a field is missing, or their lengths differ.
        """
        shapes = {"masks": (-1, len(COUNTS)), "boxes": (-1, len(COUNTS)), "unions": (-1,), "areas": (-1,)}
        made = {
            name: [np.asarray(one, float).reshape(shape) for one in columns[name]]
            for name, shape in shapes.items()
        }
        counts = [int(n) for n in columns["counts"]]
        if any(
            [len(one) for one in column] != [len(one) for one in made["areas"]] for column in made.values()
        ):
            raise ValueError("overlaps of different objects")
        if len(counts) != len(made["areas"]):
            raise ValueError("overlaps of different images")
        return cls(**made, counts=counts)

    def reordered(self, order: Sequence[int]) -> ProposalScores:
        """Return the scores with the images in another order."""
        return self.of_columns({k: [column[i] for i in order] for k, column in self.columns().items()})

    def result(self) -> list[dict[str, Any]]:
        """Return one row per kind (masks, boxes), object size and N; and for unions of superpixels.

        Returns:
            ``of`` (masks, boxes, unions), ``objects`` (all, small, ...), ``number`` of objects, ``best``
            (N, None for all), ``abo``, ``recall_50``, ``recall_70``, ``recall_85`` and ``ar``, None without
            objects.
        """
        empty = np.zeros((0, len(COUNTS)))
        areas = np.concatenate([np.zeros(0), *self.areas])
        rows = []
        for kind, overlaps in (
            ("masks", self.masks),
            ("boxes", self.boxes),
            ("unions", [one[:, None] for one in self.unions]),
        ):
            counts = COUNTS if kind != "unions" else (0,)
            best = np.concatenate([empty[:, : len(counts)], *overlaps])
            known = ~np.isnan(best[:, 0])
            for size, (least, below) in {"all": (0, float("inf")), **SIZES}.items():
                chosen = best[known & (areas >= least) & (areas < below)]
                for k, n in enumerate(counts):
                    rows.append({"of": kind, "objects": size, "number": len(chosen), "best": n or None})
                    rows[-1] |= _means(chosen[:, k])
        return rows


def _means(best: np.ndarray) -> dict[str, float | None]:
    def mean(values: np.ndarray) -> float | None:
        return float(values.mean()) if len(best) else None

    recalls = {f"recall_{round(100 * t)}": mean(best >= t) for t in RECALLS}
    averaged = mean(np.array([best >= t for t in AVERAGED]).astype(float).mean(0)) if len(best) else None
    return {"abo": mean(best), **recalls, "ar": averaged}
