"""The scores of detections as ``wsstool eval`` shows them on a terminal."""

from __future__ import annotations

from typing import Any

from wsstool.cli.tables import print_table

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


def show_detections(found: dict[str, Any]) -> None:
    """Two lines of figures, the classes, and what they mean."""
    print_table([[found["scores"][key] for key in _TITLES]], list(_TITLES.values()))
    print()
    columns = ("ap", "ap50", "voc_ap", "miss_rate")
    there = {name: one for name, one in found["classes"].items() if one["ap"] is not None}
    if len(there) > 1:
        rows = [[name, *(one[key] for key in columns)] for name, one in there.items()]
        print_table(rows, ["", *(_TITLES[key] for key in columns)])
        print()
    compared = "compared by their masks" if found["of"] == "mask" else "compared by their boxes"
    print(f"{found['images']} images, {found['boxes']} detections, {found['objects']} objects, {compared}.")
    print(f"{found['definition']}.")
