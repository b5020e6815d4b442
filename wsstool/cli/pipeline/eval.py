"""``wsstool eval``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call
from wsstool.cli.tables import print_json, print_table
from wsstool.cli.tables.detections import show_detections
from wsstool.cli.tables.instances import show_instances
from wsstool.cli.tables.proposals import show_proposals
from wsstool.errors import BelowThresholdError


def eval_(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="mask, cam, box, proposal or selection file, folder of masks, detections (COCO results, "
            "CSV, YOLO text), score files of eval -o; '-' or nothing: stdin",
            show_default=False,
        ),
    ] = None,
    truth: options.Truth = None,
    split: options.Split = None,
    class_list: options.ClassListFile = None,
    classes_with_truth: Annotated[
        bool,
        typer.Option(
            "--classes-with-truth",
            help="mean over classes with truth; default: with truth or prediction",
            rich_help_panel=options.METHOD,
        ),
    ] = False,
    ignore_class: Annotated[
        str | None,
        typer.Option(
            help="class whose true pixels do not count, by name or id (white background)",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    ignored_prediction: Annotated[
        Literal["wrong", "background", "skip"],
        typer.Option(help="what a prediction of 255 is", rich_help_panel=options.METHOD),
    ] = "wrong",
    normalise: Annotated[
        Literal["auto", "joint", "class", "minmax", "probability", "none"],
        typer.Option(
            help="scale CAMs to [0, 1]; auto: 'probability' after predict, else 'joint'",
            rich_help_panel=options.METHOD,
        ),
    ] = "auto",
    background_threshold: Annotated[
        float,
        typer.Option(
            help="of CAMs: background where no class scores more, 0 to 1", rich_help_panel=options.METHOD
        ),
    ] = 0.3,
    background: options.Background = "auto",
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep",
            help="of CAMs: the best background threshold, chosen with the truth: an oracle",
            rich_help_panel=options.METHOD,
        ),
    ] = False,
    boundary: Annotated[
        bool, typer.Option("--boundary", help="also boundary IoU", rich_help_panel=options.METHOD)
    ] = False,
    min_area: Annotated[
        int,
        typer.Option(
            help="of masks of boxes: pixels of the true mask that an object needs, to count "
            "(counted by the box: by_box_area)",
            rich_help_panel=options.METHOD,
        ),
    ] = 100,
    ap: Annotated[
        bool,
        typer.Option(
            "--ap",
            help="of masks of boxes: also COCO's average precision",
            rich_help_panel=options.METHOD,
        ),
    ] = False,
    of: Annotated[
        Literal["auto", "box", "mask"],
        typer.Option(
            help="of detections: what is compared, as COCO's bbox and segm; auto: masks where all have one",
            rich_help_panel=options.METHOD,
        ),
    ] = "auto",
    bootstrap: Annotated[
        int, typer.Option(help="resamples for the 95 % interval; 0: none", rich_help_panel=options.METHOD)
    ] = 1000,
    group: Annotated[
        str | None,
        typer.Option(
            help="column of meta.csv, or FILE:COLUMN, whose equal values are drawn together (patient)",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    seed: options.Seed = 0,
    against: Annotated[
        Path | None,
        typer.Option(
            help="score file of another method on the same images: the difference, with its interval",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    fail_under: Annotated[
        str | None,
        typer.Option(
            help="exit code 4 when a row is below; METRIC: miou (default), pixel-accuracy, mean-accuracy, "
            "fwiou, image-miou, boundary-iou; of proposals abo (default), recall-50, recall-70, recall-85, "
            "ar; of masks of boxes instance-miou (default), share-50, share-70, overall-iou, boundary-f, "
            "box-fit, ap, ap-50; of detections ap (default), ap50, ap75, ar1, ar10, ar100, voc-ap; "
            "FRACTION: 0 to 1",
            metavar="[METRIC=]FRACTION",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="score file (JSON): counts of every image", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Score masks or CAMs against true masks, beside the blind baseline; proposals, masks of boxes and
    detections against true objects.

    A table on a terminal, JSON otherwise. The blind baseline paints one tag of each image everywhere.

    Examples: wsstool pseudo-mask cam.h5 | wsstool eval;
    wsstool eval masks.h5 --truth data/masks --fail-under 0.6;
    wsstool eval kept.json --truth instances_val.json --of mask
    """
    arguments = {key: value for key, value in locals().items() if key != "json"}
    try:
        found = call("scoring.evaluate:eval_", arguments)
    except BelowThresholdError as error:
        _show(error.summary, json)
        raise
    _show(found, json)


def _show(found: dict[str, Any], json: bool) -> None:
    if json or not sys.stdout.isatty():
        print_json(found)
        return
    if found["kind"] == "selection":
        show_instances(found)
        return
    if found["kind"] == "proposal":
        show_proposals(found)
        return
    if found["kind"] == "box":
        show_detections(found)
        return
    columns = {
        "mIoU": lambda row: row["miou"],
        "95 % from": lambda row: row.get("interval", {}).get("low"),
        "to": lambda row: row.get("interval", {}).get("high"),
        "blind": lambda row: row["blind"]["miou"],
        "pixel acc.": lambda row: row["pixel_accuracy"],
        "mean acc.": lambda row: row["mean_accuracy"],
        "FWIoU": lambda row: row["fwiou"],
        "false pos.": lambda row: row["false_positive"],
        "false neg.": lambda row: row["false_negative"],
        "per image": lambda row: row["image_miou"],
        "boundary": lambda row: row.get("boundary_iou"),
    }
    rows = found["rows"]
    shown = {title: get for title, get in columns.items() if any(get(row) is not None for row in rows)}
    print_table([[row["name"], *(get(row) for get in shown.values())] for row in rows], ["", *shown])
    print()
    classes = [c for c in rows[0]["classes"]["iou"] if any(r["classes"]["iou"][c] is not None for r in rows)]
    print_table(
        [[c, *(r["classes"]["iou"][c] for r in rows)] for c in classes], ["IoU", *(r["name"] for r in rows)]
    )
    print()
    for row in rows:
        if "sweep" in row:
            best = row["sweep"]
            print(f"{row['name']}: best threshold {best['threshold']:.2f}, mIoU {best['miou']:.4f} (oracle)")
    for row in rows:
        if "against" in row:
            than = row["against"]
            interval = than.get("interval")
            sure = f", 95 % from {interval['low']:+.4f} to {interval['high']:+.4f}" if interval else ""
            print(f"{row['name']}: mIoU {than['miou']:+.4f} against {than['source']} ({than['name']}){sure}")
    blind = rows[0]["blind"]
    tags = "" if blind["tags"] == "file" else "; tags taken from the truth"
    print(f"{found['images']} images. {found['definition']}.")
    print(f"blind: one tag of each image painted everywhere, chosen without looking ({blind['rule']}{tags}).")
