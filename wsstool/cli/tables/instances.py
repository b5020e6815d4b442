"""The scores of masks of boxes as tables."""

from __future__ import annotations

from typing import Any

from wsstool.cli.tables import print_table


def show_instances(found: dict[str, Any]) -> None:
    """Print what ``score_instances`` returns: all scores beside the blind ones, then classes and sizes."""
    (row,) = found["rows"]
    if row["scored"]:
        interval = row.get("interval", {})
        shown = [
            ("mean instance IoU", row["instance_miou"]),
            ("  95 % from", interval.get("low")),
            ("  to", interval.get("high")),
            ("filled box", row["blind"]["box"]),
            ("ellipse", row["blind"]["ellipse"]),
            ("IoU of .5 and more", row["share_50"]),
            ("IoU of .7 and more", row["share_70"]),
            ("overall IoU", row["overall_iou"]),
            ("boundary IoU", row["boundary_iou"]),
            ("boundary F", row["boundary_f"]),
            ("score ranks as IoU", row["score_order"]),
            *((name.upper().replace("_", " "), value) for name, value in (row.get("ap") or {}).items()),
        ]
        print_table([list(one) for one in shown], ["with the truth", ""])
        print()
        groups = [(n, one["objects"], one["instance_miou"]) for n, one in row["by_size"].items()]
        classes = row["classes"]
        if (by_box := row["by_box_area"])["objects"] != row["scored"]:
            groups += [("box large enough", by_box["objects"], by_box["instance_miou"])]
        groups += [(n, classes["objects"][n], iou) for n, iou in classes["iou"].items() if iou is not None]
        print_table([[name, str(n), iou] for name, n, iou in groups if n], ["objects", "number", "IoU"])
        print()
    consistency = [
        ("fit of mask and box", row["box_fit"]),
        ("share of the box filled", row["coverage"]),
        ("own score", row["score"]),
        ("fallbacks", str(row["fallbacks"])),
    ]
    print_table([list(one) for one in consistency], ["without the truth", ""])
    print()
    print(
        f"{found['images']} images, {row['objects']} objects: {row['scored']} scored, "
        f"{row['too_small']} too small, {row['without_truth']} without a true mask. "
        f"IoU: {found['definition']}."
    )
