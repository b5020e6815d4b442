"""The scores under corruption as tables and sentences for a terminal."""

from __future__ import annotations

from typing import Any

from wsstool.corruptions.levels import SEVERITIES
from wsstool.stages.scoring.scorer import Table

TITLES = {
    "accuracy": "accuracy",
    "map": "mAP",
    "exact_match": "exact match",
    "miou": "mIoU",
    "pixel_accuracy": "pixel acc.",
}


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return the tables and lines that show a summary of ``robustness``."""
    own = {summary["metric"]: summary, **summary["metrics"]}
    keys = ("clean", "robust", "retention", "category_mean", "category_retention")
    overall = [[TITLES[metric], *(one[key] for key in keys)] for metric, one in own.items()]
    corruptions = summary["corruptions"]
    has_ce = any("ce" in one for one in corruptions.values())
    rows = [
        [
            name,
            one["category"],
            *(one["severities"].get(str(severity)) for severity in SEVERITIES),
            one["mean"],
            *([one.get("ce")] if has_ce else []),
        ]
        for name, one in corruptions.items()
    ]
    severities = [f"severity {SEVERITIES[0]}", *map(str, SEVERITIES[1:])]
    return [
        Table(["corruption", "category", *severities, "mean", *(["CE"] if has_ce else [])], rows),
        Table(["category", TITLES[summary["metric"]]], [list(one) for one in summary["categories"].items()]),
        Table(["", "clean", "robust", "retention", "by category", "retention"], overall),
        _error(summary),
        f"{summary['images']} images. {_applied(summary['applied'])}",
        f"{TITLES[summary['metric']]}: {summary['definition']}.",
        "robust: mean over severities, then corruptions; by category: mean over the categories, as "
        "published; retention: share of the clean score.",
        *(f"Note: {one}." for one in summary["notes"]),
    ]


def _error(summary: dict[str, Any]) -> str:
    if summary["mce"] is None:
        return f"mCE: not available; {summary['mce_missing']}."
    return f"mCE {summary['mce']:.4f}, relative to AlexNet on ImageNet (1 is as good; papers give percent)."


def _applied(applied: dict[str, Any]) -> str:
    rows, columns = ("-".join(map(str, dict.fromkeys(applied[key]))) for key in ("rows", "columns"))
    size = f"{rows} x {columns} pixels (rows x columns)"
    if applied["image_size"] is None:
        return f"Corrupted at the size of the images, which the network sees as they are: {size}."
    short = f"{applied['image_size']} pixels on the short side{', cropped' if applied['crop'] else ''}"
    when = "before resizing to" if applied["at"] == "native" else "after resizing to"
    return f"Corrupted {when} {short}, at {size}."
