"""The metrics that ``eval --fail-under`` can require, by what is scored; the first of each is the default."""

from __future__ import annotations

METRICS: dict[str, dict[str, str]] = {
    "label maps": {
        "miou": "mean over classes of the IoU over all images",
        "pixel_accuracy": "fraction of pixels with the correct class",
        "mean_accuracy": "mean over classes of the recall of their pixels",
        "fwiou": "IoU of the classes weighted by their number of pixels",
        "image_miou": "mean over images of the mIoU per image",
        "boundary_iou": "mean over classes of the IoU of bands along the boundaries; needs --boundary",
    },
    "proposals": {
        "abo": "mean over objects of the best overlap with a proposal",
        "recall_50": "share of objects with a best overlap of at least 0.50",
        "recall_70": "share of objects with a best overlap of at least 0.70",
        "recall_85": "share of objects with a best overlap of at least 0.85",
        "ar": "mean recall at overlaps of 0.50, 0.55 ... 0.95",
    },
    "masks of boxes": {
        "instance_miou": "mean IoU over objects",
        "share_50": "fraction of objects with an IoU of at least 0.50",
        "share_70": "fraction of objects with an IoU of at least 0.70",
        "overall_iou": "IoU over the pixels of all objects",
        "boundary_f": "mean over objects of the F score of the outlines",
        "box_fit": "mean IoU of the bounding box of a mask with the given box",
        "ap": "COCO's mask AP; needs --ap",
        "ap_50": "COCO's mask AP at IoU 0.50; needs --ap",
    },
    "maps of boxes": {
        "instance_miou": "mean IoU over objects of the map from 0.5 on, cut at the box",
        "box_fit": "mean IoU of the box around the map from 0.5 on with the given box",
    },
    "masks of sentences": {
        "overall_iou": "sum of all intersections by sum of all unions, which favours large objects",
        "mean_iou": "mean over sentences of the IoU",
        "prec_50": "share of sentences with an IoU of at least 0.50",
        "prec_60": "share of sentences with an IoU of at least 0.60",
        "prec_70": "share of sentences with an IoU of at least 0.70",
        "prec_80": "share of sentences with an IoU of at least 0.80",
        "prec_90": "share of sentences with an IoU of at least 0.90",
        "no_target_accuracy": "share of sentences without a target whose mask is empty; in no other score",
    },
    "detections": {
        "ap": "COCO's AP: mean over classes, IoU 0.50, 0.55 ... 0.95 and 101 recalls",
        "ap50": "AP at IoU 0.50",
        "ap75": "AP at IoU 0.75",
        "ar1": "mean recall with 1 detection per image",
        "ar10": "mean recall with 10 detections per image",
        "ar100": "mean recall with 100 detections per image",
        "voc_ap": "VOC's AP: area under the curve at IoU 0.50",
        "voc_ap_11": "VOC's AP of 2007: mean at 11 recalls",
    },
}


def spelled(metric: str) -> str:
    """Return a metric as it is typed and listed in ``--help``."""
    return metric.replace("_", "-")


def choices() -> str:
    """Return the metrics as ``--help`` lists them."""
    parts = []
    for scored, metrics in METRICS.items():
        first, *rest = map(spelled, metrics)
        parts.append(f"of {scored}: {', '.join([f'{first} (default)', *rest])}")
    return "; ".join(parts)
