"""Objects as CSV, one line per object, the lowest score first: a list of what to look at."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from wsstool.data.geometry.instances import AnnotatedImage
from wsstool.types import ClassList

COLUMNS = ("image", "id", "class", "score", "x0", "y0", "x1", "y1", "area")


def write(images: Sequence[AnnotatedImage], target: Path, classes: ClassList) -> None:
    """Write a table of objects, the lowest score first; equal scores in the order of the images.

    Args:
        images: images and objects to write.
        target: the CSV file, UTF-8.
        classes: not needed, classes are referred to by name.

    Notes:
        ``area`` is the number of pixels of the mask. The masks of sentences have a column ``sentence`` too.
        ``nms`` and ``eval`` read such a table as detections.

    Source: RFC 4180, written from it; the columns are those of our tables of detections.
    """
    rows = [(image, instance) for image in images for instance in image.instances]
    rows.sort(key=lambda row: row[1].score)
    with_sentences = any(instance.sentence for _, instance in rows)
    with open(target, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *(["sentence"] if with_sentences else [])])
        for image, one in rows:
            found = [image.name, one.id, one.label, one.score, *one.box, int(one.mask.sum())]
            table.writerow([*found, *([one.sentence] if with_sentences else [])])
