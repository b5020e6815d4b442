"""The scores of proposals as tables."""

from __future__ import annotations

from typing import Any

from wsstool.cli.tables import print_table

_COLUMNS = {"abo": "ABO", "recall_50": "R .5", "recall_70": "R .7", "recall_85": "R .85", "ar": "AR"}


def show_proposals(found: dict[str, Any]) -> None:
    """Print what ``score_proposals`` returns: all objects by number of proposals, then sizes with all."""
    for of in ("masks", "boxes", "unions"):
        rows = [row for row in found["rows"] if row["of"] == of]
        if not rows[0]["number"]:
            continue
        shown = [row for row in rows if row["objects"] == "all"]
        shown += [row for row in rows if row["objects"] != "all" and row["best"] is None]
        table = [
            [row["objects"], str(row["number"]), str(row["best"] or "all"), *(row[key] for key in _COLUMNS)]
            for row in shown
        ]
        print_table(table, [of, "objects", "best", *_COLUMNS.values()])
        print()
    print(
        f"{found['images']} images, {found['proposals_per_image']:.0f} proposals each. {found['definition']}."
    )
    print(f"Annotated: {found['annotated']}.")
