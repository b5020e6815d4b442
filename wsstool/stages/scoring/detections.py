"""Score detections, by boxes or masks, against true objects: COCO's AP and AR, VOC's AP, the miss rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from wsstool import store
from wsstool.atomic import write_text
from wsstool.data.boxes.ground_truth import TrueObjects, read_objects
from wsstool.data.detections import Detections, invalid, invalid_error
from wsstool.data.listing import Lookup
from wsstool.data.splits import split_indices
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.detection import DetectionScores, ImageBoxes
from wsstool.stages.detections import files
from wsstool.stages.detections.coco_ids import category_ids, image_places
from wsstool.stages.scoring.fail_under import require_least
from wsstool.stages.scoring.overlaps import BoxOverlaps, MaskOverlaps, ObjectOverlaps

Compared = Literal["auto", "box", "mask"]
METRICS = ("ap", "ap50", "ap75", "ar1", "ar10", "ar100", "voc_ap", "voc_ap_11")

DEFINITION = (
    "AP: mean over classes with objects, over IoU .50, .55 ... .95 and over 101 recalls, at most 100 "
    "detections an image; small below 32, large from 96 pixels squared; AR n: mean recall with n detections "
    "an image; VOC AP: area under the curve at IoU .5, each detection judged by the object that it overlaps "
    "most; miss rate: geometric mean at 9 rates from .01 to 1 false positive an image"
)


def score_boxes(
    source: object,
    reader: store.Reader | None = None,
    *,
    truth: Path | None = None,
    of: Compared = "auto",
    split: str | None = None,
    fail_under: tuple[str, float] | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Compare detections with the annotated objects of all images of the truth.

    Args:
        source: path of a foreign format, see ``detection_files``, or of the ``box`` file that ``reader``
            reads.
        reader: of a ``box`` file.
        truth: a COCO file or a data folder with boxes; None: the data folder that the ``box`` file was made
            from.
        of: what is compared: boxes, or masks, as COCO's ``bbox`` and ``segm``; ``auto``: masks where every
            detection and every object has one, else boxes.
        split: score these images only; a data folder must be named for it.
        fail_under: metric and least value.
        output: file for the scores, as JSON.

    Returns:
        ``of`` (``box`` or ``mask``), ``scores``, ``classes`` (name -> AP, AP50, VOC AP, miss rate), ``curve``
        (precision at 101 recalls), ``images``, ``boxes``, ``objects``, ``definition``.
    Raises:
        MissingInputError: no truth, or no masks where they are asked for.
        BadInputError: invalid boxes or scores, detections of images or classes that the truth does not
            have, masks of another size.
        BelowThresholdError: see ``fail_under``; its ``summary`` is what would be returned.
    """
    if truth is None and reader is not None and reader.header.image_root:
        truth = Path(reader.header.image_root)
    if truth is None or not truth.exists():
        what = f"there is no '{truth}'" if truth is not None else "detections do not say what is true"
        raise MissingInputError(f"{what}; --truth names a COCO file or a data folder with boxes")
    objects = read_objects(truth)
    form = None if reader is not None else files.foreign(source)
    if form is None and reader is None:
        raise BadInputError(f"'{source}' holds no detections")
    found = files.of_reader(reader) if reader is not None else files.READERS[str(form)](Path(str(source)))
    if found.boxes.shape[1] != 4:
        raise BadInputError("rotated boxes cannot be scored against boxes along the axes")
    if (bad := invalid(found)).any():
        raise invalid_error(found, bad, "'wsstool nms --drop-invalid' leaves such boxes out")
    image = image_places(found, objects, form, str(source))
    classes = category_ids(found, objects, form)
    boxes = found.boxes * objects.sizes[image][:, [1, 0, 1, 0]] if found.fractions else found.boxes
    chosen = np.ones(len(objects.names), bool)
    if split is not None:
        if not truth.is_dir():
            raise UsageError("--split needs a data folder as --truth")
        chosen[:] = False
        chosen[list(split_indices(truth, objects.names, Lookup(objects.names), split))] = True
    compared = _compared(of, found, objects, str(source))
    judge = MaskOverlaps(found, objects) if compared == "mask" else BoxOverlaps(boxes, objects)
    scores = count(image, classes, found.scores, objects, chosen, judge)
    said = {
        "kind": "box",
        "of": compared,
        "source": str(source if source not in (None, "-") else "standard input"),
        "images": int(chosen.sum()),
        "boxes": int(chosen[image].sum()),
        "objects": int((chosen[objects.image] & ~objects.crowd).sum()),
        "definition": DEFINITION,
        "scores": scores.result(),
        "classes": {
            objects.categories.get(key, str(key)): _of_class(scores, key) for key in scores.class_ids()
        },
        "curve": scores.curve(),
    }
    if output is not None:
        write_text(Path(output), json.dumps(said, ensure_ascii=False, indent=1) + "\n")
    if fail_under is not None:
        _require(said, *fail_under)
    return said


def _compared(of: str, found: Detections, objects: TrueObjects, source: str) -> str:
    """``box`` or ``mask``."""
    if of not in get_args(Compared):
        raise UsageError(f"--of {of}: {', '.join(get_args(Compared))}")
    if of == "box":
        return "box"
    bare = sum(not row.get("segmentation") for row in found.rows) if found.rows else len(found)
    untrue = sum(mask is None for mask in objects.masks)
    if of == "auto":
        return "mask" if len(found) and not bare and not untrue else "box"
    if bare:
        raise MissingInputError(f"{bare} of {len(found)} detections in '{source}' have no 'segmentation'")
    if untrue:
        raise MissingInputError(f"{untrue} of {len(objects.masks)} objects of the truth have no mask")
    return "mask"


def _of_class(scores: DetectionScores, key: int) -> dict[str, float | None]:
    precision = scores.precision(key)
    return {
        "ap": None if precision is None else float(precision.mean()),
        "ap50": None if precision is None else float(precision[0].mean()),
        "voc_ap": scores.voc_ap(key),
        "miss_rate": scores.miss_rate(key),
    }


def count(
    image: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray,
    objects: TrueObjects,
    chosen: np.ndarray,
    judge: ObjectOverlaps,
) -> DetectionScores:
    """Add up all chosen images.

    Args:
        image, classes, scores: of the detections, numbered as the truth is.
        chosen: (I,) bool, which images count.
        judge: of the same detections.
    """
    total = DetectionScores()
    by_image = np.argsort(image, kind="stable")
    found_at = np.searchsorted(image[by_image], np.arange(len(objects.names) + 1))
    by_true = np.argsort(objects.image, kind="stable")
    true_at = np.searchsorted(objects.image[by_true], np.arange(len(objects.names) + 1))
    for k in np.flatnonzero(chosen):
        found = by_image[found_at[k] : found_at[k + 1]]
        true = by_true[true_at[k] : true_at[k + 1]]
        parts = {}
        for key in np.union1d(classes[found], objects.classes[true]).tolist():
            a, b = found[classes[found] == key], true[objects.classes[true] == key]
            areas, true_areas, overlaps = judge(int(k), a, b)
            aside = np.zeros(len(b), bool)
            parts[key] = ImageBoxes(scores[a], areas, overlaps, true_areas, objects.crowd[b], aside)
        total.add_image(parts)
    return total


def _require(said: dict[str, Any], metric: str, least: float) -> None:
    metric = "ap" if metric == "miou" else metric  # the default of the option
    if metric not in METRICS:
        raise UsageError(f"--fail-under {metric}: of detections there is {', '.join(METRICS)}")
    require_least(said, metric, said["scores"][metric], least)
