"""Score detections, by boxes or masks, against ground truth: COCO's AP and AR, VOC's AP, miss rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wsstool.data.boxes.ground_truth import GroundTruthObjects, read_objects
from wsstool.data.detections import Detections, invalid, invalid_error
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.detection import LIMITS, DetectionScores, ImageBoxes
from wsstool.stages.detections import files
from wsstool.stages.detections.coco_ids import category_ids, image_places
from wsstool.stages.options.scoring import EvalOptions
from wsstool.stages.scoring.ground_truth import chosen_images
from wsstool.stages.scoring.object_counts import DetectionCounts
from wsstool.stages.scoring.overlaps import BoxOverlaps, MaskOverlaps, ObjectOverlaps
from wsstool.stages.scoring.scorer import Scorer, Source, Table
from wsstool.types import Messages

DEFINITION = (
    "AP: mean over classes with objects, IoU 0.50, 0.55 ... 0.95 and 101 recalls, with at most 100 "
    "detections per image; small: below 32 x 32 pixels, large: from 96 x 96 pixels; AR n: mean recall with "
    "n detections per image; VOC AP: area under the curve at IoU 0.50, where each detection is compared "
    "with the object that it overlaps most; miss rate: geometric mean at 9 rates from 0.01 to 1 false "
    "positives per image"
)


class Matched(NamedTuple):
    """Detections as the ground truth numbers them.

    Args:
        image, classes: (N,) int64, places of images and ids of categories.
        scores: (N,).
        overlaps: with the ground-truth objects.
    """

    image: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    overlaps: ObjectOverlaps


def measure(source: Source, options: EvalOptions, _messages: Messages) -> DetectionCounts:
    """Compare detections with the annotated objects of all images of the ground truth.

    Raises:
        MissingInputError: no ground truth, or no masks where they are asked for.
        BadInputError: invalid boxes or scores, detections of images or classes that the ground truth does not
            have, masks of another size.
        UsageError: a split without a data folder.
    """
    truth = _truth(source, options)
    objects = read_objects(truth)
    form = None if source.reader is not None else files.foreign(source.path)
    if source.reader is not None:
        found = files.of_reader(source.reader)
    else:
        found = files.READERS[str(form)](Path(str(source.path)))
    if found.boxes.shape[1] != 4:
        raise BadInputError("rotated boxes cannot be scored; the ground truth has axis-aligned boxes")
    if (bad := invalid(found)).any():
        raise invalid_error(found, bad, "'wsstool nms --drop-invalid' leaves out such boxes")
    if options.split is not None and not truth.is_dir():
        raise UsageError("--split applies only when --truth is a data folder")
    image = image_places(found, objects, form, str(source.path))
    classes = category_ids(found, objects, form)
    boxes = found.boxes * objects.sizes[image][:, [1, 0, 1, 0]] if found.fractions else found.boxes
    places = chosen_images(objects.names, options.split, truth)
    compared = _compared(options.of, found, objects, str(source.path))
    overlaps = MaskOverlaps(found, objects) if compared == "mask" else BoxOverlaps(boxes, objects)
    return DetectionCounts(
        str(source.path if source.path not in (None, "-") else "standard input"),
        compared,
        objects.categories,
        [objects.names[k] for k in places],
        places,
        int(np.isin(image, places).sum()),
        count_images(Matched(image, classes, found.scores, overlaps), objects, places),
        truth,
    )


def _truth(source: Source, options: EvalOptions) -> Path:
    truth = options.truth
    if truth is None and source.reader is not None and source.reader.header.image_root:
        truth = Path(source.reader.header.image_root)
    if truth is None or not Path(truth).exists():
        what = f"there is no '{truth}'" if truth is not None else "detections need ground truth"
        raise MissingInputError(f"{what}; use --truth to name a COCO file or a data folder with boxes")
    return Path(truth)


def _compared(of: str, found: Detections, objects: GroundTruthObjects, source: str) -> str:
    """``box`` or ``mask``."""
    if of == "box":
        return "box"
    bare = sum(not row.get("segmentation") for row in found.rows) if found.rows else len(found)
    untrue = sum(mask is None for mask in objects.masks)
    if of == "auto":
        return "mask" if len(found) and not bare and not untrue else "box"
    if bare:
        raise MissingInputError(f"{bare} of {len(found)} detections in '{source}' have no 'segmentation'")
    if untrue:
        raise MissingInputError(f"{untrue} of {len(objects.masks)} ground-truth objects have no mask")
    return "mask"


def count_images(
    found: Matched, objects: GroundTruthObjects, places: list[int]
) -> list[dict[int, ImageBoxes]]:
    """Return what each image at ``places`` has of each class, with no more detections than scores look at."""
    by_image = np.argsort(found.image, kind="stable")
    found_at = np.searchsorted(found.image[by_image], np.arange(len(objects.names) + 1))
    by_true = np.argsort(objects.image, kind="stable")
    true_at = np.searchsorted(objects.image[by_true], np.arange(len(objects.names) + 1))
    counted = []
    for k in places:
        own = by_image[found_at[k] : found_at[k + 1]]
        true = by_true[true_at[k] : true_at[k + 1]]
        parts = {}
        for key in np.union1d(found.classes[own], objects.classes[true]).tolist():
            a, b = own[found.classes[own] == key], true[objects.classes[true] == key]
            a = a[np.argsort(-found.scores[a], kind="stable")[: LIMITS[-1]]]
            areas, true_areas, overlaps = found.overlaps(k, a, b)
            aside = np.zeros(len(b), bool)
            parts[key] = ImageBoxes(found.scores[a], areas, overlaps, true_areas, objects.crowd[b], aside)
        counted.append(parts)
    return counted


def summarise(counts: DetectionCounts, _options: EvalOptions) -> dict[str, Any]:
    """Return the scores of all classes.

    Returns:
        ``of`` (``box`` or ``mask``), ``scores``, ``classes`` (name -> AP, AP50, VOC AP, miss rate), ``curve``
        (precision at 101 recalls), ``images``, ``boxes``, ``objects``, ``definition``.
    """
    scores = counts.scores()
    names = {key: counts.categories.get(key, str(key)) for key in scores.class_ids()}
    return {
        "kind": "box",
        "of": counts.of,
        "source": counts.source,
        "images": len(counts.images),
        "boxes": counts.boxes,
        "objects": counts.objects,
        "definition": DEFINITION,
        "scores": scores.result(),
        "classes": {name: _of_class(scores, key) for key, name in names.items()},
        "curve": scores.curve(),
    }


def _of_class(scores: DetectionScores, key: int) -> dict[str, float | None]:
    precision = scores.precision(key)
    return {
        "ap": None if precision is None else float(precision.mean()),
        "ap50": None if precision is None else float(precision[0].mean()),
        "voc_ap": scores.voc_ap(key),
        "miss_rate": scores.miss_rate(key),
    }


def values(summary: dict[str, Any], metric: str) -> dict[str, float | None]:
    """Return a metric of all classes."""
    return {"": summary["scores"][metric]}


def warnings(_counts: DetectionCounts, _options: EvalOptions, _summary: dict[str, Any]) -> list[str]:
    """Return nothing: what cannot be scored is an error."""
    return []


_TITLES = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "small",
    "ap_medium": "medium",
    "ap_large": "large",
    "ar1": "AR1",
    "ar10": "AR10",
    "ar100": "AR100",
    "ar_small": "AR small",
    "ar_medium": "AR medium",
    "ar_large": "AR large",
    "voc_ap": "VOC AP",
    "voc_ap_11": "VOC AP (11)",
    "miss_rate": "miss rate",
}
_OF_CLASS = ("ap", "ap50", "voc_ap", "miss_rate")


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return all scores in one row, the classes where there are several, and what the numbers mean."""
    tables = [Table([*_TITLES.values()], [[summary["scores"][key] for key in _TITLES]])]
    there = {name: one for name, one in summary["classes"].items() if one["ap"] is not None}
    if len(there) > 1:
        rows = [[name, *(one[key] for key in _OF_CLASS)] for name, one in there.items()]
        tables.append(Table(["", *(_TITLES[key] for key in _OF_CLASS)], rows))
    compared = "compared by their masks" if summary["of"] == "mask" else "compared by their boxes"
    numbers = f"{summary['images']} images, {summary['boxes']} detections, {summary['objects']} objects"
    return [
        *tables,
        f"{numbers}, {compared}.",
        f"{summary['definition']}.",
    ]


DETECTIONS = Scorer(
    "detections",
    ("box",),
    frozenset({"of"}),
    DetectionCounts,
    measure,
    summarise,
    values,
    columns,
    warnings,
)
