"""Write a small dataset: images, masks, tags, boxes, sentences, class list and splits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from wsstool.data.classlist import write_class_list
from wsstool.data.masks import write_mask
from wsstool.data.sample import objects as sample_objects
from wsstool.data.sample import referring as sample_referring
from wsstool.data.sample import tissue as sample_tissue
from wsstool.data.sample.composition import Thing
from wsstool.types import IGNORE, ClassList

KINDS = ("objects", "tissue", "referring")
PARTS = ("train", "val", "test")

_MODULES: dict[str, ModuleType] = {
    "objects": sample_objects,
    "tissue": sample_tissue,
    "referring": sample_referring,
}

# The split of an image follows from its number, so that a larger sample begins with the smaller: of twenty,
# 12 are for training, 3 for validation and 5 for test.
_TURN = tuple({"a": "train", "b": "val", "c": "test"}[letter] for letter in "abcaaacaaabcaaacabca")


def write_sample(folder: Path, *, kind: str, count: int, size: int, seed: int) -> Iterator[int]:
    """Write a sample into an empty folder, yielding after every image.

    Args:
        folder: an existing, empty folder.
        kind: ``objects``, ``tissue`` or ``referring``.
        count: number of images, 1 or more; 60 % for training, 15 % for validation, 25 % for test.
        size: rows and columns of an image, pixels, 32 or more.
        seed: image i depends only on kind, seed, size and i.

    Yields:
        the number of the image just written.
    """
    classes = _MODULES[kind].CLASSES
    for name in ("images", "masks", "splits"):
        (folder / name).mkdir()
    write_class_list(folder / "classes.txt", classes)
    rows, instances = ["image,labels"], []
    names: dict[str, list[str]] = {part: [] for part in PARTS}
    for i in range(count):
        generator = np.random.default_rng([seed, KINDS.index(kind), i])
        part, stem = _TURN[i % len(_TURN)], f"{i:05d}"
        things: list[Thing] = []
        if kind == "tissue":
            image, mask = sample_tissue.draw(generator, size, part)
        else:
            image, mask, things = _MODULES[kind].draw(generator, size, part)
        Image.fromarray(image).save(folder / "images" / f"{stem}.jpg", quality=92, subsampling=0)
        write_mask(folder / "masks" / f"{stem}.png", mask, classes)
        present = [c for c in np.unique(mask).tolist() if c not in (IGNORE, classes.background)]
        rows.append(f"{stem}.jpg,{' '.join(classes.names[c] for c in present)}")
        names[part].append(stem)
        instances.append(things)
        yield i
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for part, stems in names.items():
        (folder / "splits" / f"{part}.txt").write_text(
            "".join(f"{stem}\n" for stem in stems), encoding="utf-8"
        )
    if kind == "tissue":
        return
    boxes = _coco(instances, classes, size)
    (folder / "boxes.json").write_text(_json(boxes), encoding="utf-8")
    if kind == "referring":
        lines = _sentences(instances, boxes["annotations"], classes, size)
        (folder / "referring.jsonl").write_text("".join(map(_json, lines)), encoding="utf-8")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _sentences(
    instances: list[list[Thing]], annotations: list[dict[str, Any]], classes: ClassList, size: int
) -> Iterator[dict[str, object]]:
    """Yield the objects that have sentences, with what the annotation file says of them."""
    numbered = iter(annotations)
    for i, things in enumerate(instances):
        for thing in things:
            annotation = next(numbered)
            if thing.sentences:
                yield {
                    "image": f"{i:05d}.jpg",
                    "image_id": i + 1,
                    "width": size,
                    "height": size,
                    "split": _TURN[i % len(_TURN)],
                    "ref_id": annotation["id"],
                    "ann_id": annotation["id"],
                    "category": classes.names[thing.class_id],
                    "box": annotation["bbox"],
                    "mask": annotation["segmentation"],
                    "no_target": False,
                    "sentences": list(thing.sentences),
                }


def _coco(instances: list[list[Thing]], classes: ClassList, size: int) -> dict[str, list[dict[str, Any]]]:
    """Return the objects as COCO instances: tight boxes of visible parts, masks as plain run lengths."""
    images = [
        {"id": i + 1, "file_name": f"{i:05d}.jpg", "width": size, "height": size}
        for i in range(len(instances))
    ]
    annotations: list[dict[str, Any]] = []
    for i, things in enumerate(instances):
        for thing in things:
            rows, columns = (
                np.flatnonzero(thing.visible.any(axis=1)),
                np.flatnonzero(thing.visible.any(axis=0)),
            )
            left, top = int(columns[0]), int(rows[0])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i + 1,
                    "category_id": thing.class_id,
                    "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
                    "area": int(thing.visible.sum()),
                    "iscrowd": 0,
                    "segmentation": {"size": [size, size], "counts": run_lengths(thing.visible)},
                    **({"attributes": dict(thing.attributes)} if thing.attributes else {}),
                }
            )
    categories: list[dict[str, Any]] = [{"id": c, "name": classes.names[c]} for c in classes.foreground]
    return {"images": images, "annotations": annotations, "categories": categories}


def run_lengths(mask: np.ndarray) -> list[int]:
    """Return COCO's uncompressed run lengths: column by column, zeros first.

    Example:
        >>> run_lengths(np.array([[True, False], [True, False]]))
        [0, 2, 2]
    """
    flat = np.concatenate([[False], mask.ravel(order="F"), [True]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], ends])).tolist()
    return counts if sum(counts) == mask.size else [*counts, mask.size - sum(counts)]
