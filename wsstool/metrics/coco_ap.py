"""COCO's average precision of masks, computed by the reference implementations."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wsstool.errors import MissingInputError

_NAMES = ("ap", "ap_50", "ap_75", "ap_small", "ap_medium", "ap_large")


@dataclass(frozen=True)
class Instance:
    """One object of an image: image number, class, mask as (H, W) bool, and the score of a detection."""

    image: int
    class_id: int
    mask: np.ndarray
    score: float = 1.0


def coco_ap(
    truth: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]], sizes: dict[int, tuple[int, int]]
) -> dict[str, float | None]:
    """Return the mask AP at IoU 0.50 to 0.95, at 0.50, at 0.75, and by size; None if there is no object.

    Args:
        truth, found: ``packed`` instances of the ground truth and the prediction.
        sizes: rows and columns of every image, by number.

    Raises:
        MissingInputError: neither faster-coco-eval nor pycocotools is installed.

    Source:
        Lin et al., ECCV 2014, as implemented in the COCO API.
    """
    coco, evaluation, _ = _program()
    with contextlib.redirect_stdout(io.StringIO()):
        reference = coco()
        reference.dataset = {
            "images": [{"id": i, "height": h, "width": w} for i, (h, w) in sizes.items()],
            "categories": [{"id": c, "name": str(c)} for c in sorted({t["category_id"] for t in truth})],
            "annotations": [{**one, "id": k, "iscrowd": 0} for k, one in enumerate(truth, 1)],
            "info": {},
        }
        reference.createIndex()
        if not found or not truth:
            return dict.fromkeys(_NAMES, 0.0 if truth else None)
        run = evaluation(reference, reference.loadRes([dict(one) for one in found]), "segm")
        run.evaluate()
        run.accumulate()
        run.summarize()
    values = [float(v) for v in run.stats[: len(_NAMES)]]
    return {name: value if value >= 0 else None for name, value in zip(_NAMES, values, strict=True)}


@dataclass
class ApParts:
    """Input of the average precision of masks, for any number of images; parts of a dataset can be merged.

    Args:
        truth, found: ``packed`` instances of the ground truth and the prediction.
        sizes: rows and columns of every image, by number.
    """

    truth: list[dict[str, Any]] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)

    def result(self) -> dict[str, float | None]:
        """Return the scores, see ``coco_ap``."""
        return coco_ap(self.truth, self.found, self.sizes)

    def moved(self, to: Sequence[int]) -> ApParts:
        """Return a copy with image ``i`` renumbered as ``to[i]``, in the order of the new numbers."""

        def put(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return sorted(
                ({**one, "image_id": to[one["image_id"]]} for one in rows),
                key=lambda one: int(one["image_id"]),
            )

        return ApParts(
            put(self.truth), put(self.found), dict(sorted((to[i], s) for i, s in self.sizes.items()))
        )

    def merge(self, other: ApParts, first: int) -> None:
        """Add other images, numbered from ``first``."""
        other = other.moved(range(first, first + 1 + max(other.sizes, default=0)))
        self.truth += other.truth
        self.found += other.found
        self.sizes |= other.sizes

    def content(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "truth": [_text(one) for one in self.truth],
            "found": [_text(one) for one in self.found],
            "sizes": [[i, *size] for i, size in self.sizes.items()],
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> ApParts:
        """Restore from ``content``; KeyError, TypeError or ValueError if it is something else."""
        sizes = {int(i): (int(h), int(w)) for i, h, w in content["sizes"]}
        made = cls([_bytes(o) for o in content["truth"]], [_bytes(o) for o in content["found"]], sizes)
        if any(one["image_id"] not in sizes for one in made.truth + made.found):
            raise ValueError("an instance without an image")
        return made


def _text(one: dict[str, Any]) -> dict[str, Any]:
    rle = one["segmentation"]
    return {**one, "segmentation": {**rle, "counts": rle["counts"].decode("ascii")}}


def _bytes(one: dict[str, Any]) -> dict[str, Any]:
    rle = one["segmentation"]
    return {**one, "segmentation": {**rle, "counts": rle["counts"].encode("ascii")}}


def packed(one: Instance) -> dict[str, Any]:
    """Convert an instance to the format of the COCO API, its mask in run lengths."""
    *_, masks = _program()
    rle = masks.encode(np.asfortranarray(one.mask.astype(np.uint8)))
    box = [float(v) for v in masks.toBbox(rle)]
    return {
        "image_id": one.image,
        "category_id": one.class_id,
        "segmentation": rle,
        "area": float(one.mask.sum()),
        "bbox": box,
        "score": one.score,
    }


def _program() -> tuple[Any, Any, Any]:
    try:
        from faster_coco_eval import COCO, COCOeval_faster
        from faster_coco_eval.core import mask

        return COCO, COCOeval_faster, mask
    except ImportError:
        pass
    try:
        from pycocotools import mask
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise MissingInputError(
            "average precision needs the COCO API: pip install 'wsstool[coco]', or leave out --ap"
        ) from None
    return COCO, COCOeval, mask
