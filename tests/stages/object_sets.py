"""A small set with boxes, and contour, proposal and selection files made for it without a network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool import store
from wsstool.data.geometry.rle import encode
from wsstool.stages.objects.columns import BoxColumns, boxes_of
from wsstool.types import ClassList

CLASSES = ClassList(("background", "disc", "block"), 0)
SIZE = (40, 56)


def truth_of(i: int) -> list[tuple[int, np.ndarray]]:
    """Class and (H, W) bool mask of the objects of image ``i``; image 3 has none, in 2 one fills it."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    disc = ((rows - 18) / 13) ** 2 + ((columns - 16 - i) / 11) ** 2 < 1
    block = (rows >= 8) & (rows < 33) & (columns >= 32 + i) & (columns < 50)
    if i == 2:
        return [(2, np.ones(SIZE, bool))]
    return [] if i == 3 else [(1, disc), (2, block)]


def write_objects(root: Path, n: int = 5) -> Path:
    """``images/``, ``classes.txt`` and ``boxes.json`` in COCO's layout."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    colours = np.array([(70, 90, 110), (200, 80, 50), (60, 170, 90)])
    images, annotations = [], []
    for i in range(n):
        labels = np.zeros(SIZE, int)
        for class_id, mask in truth_of(i):
            labels[mask] = class_id
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
            annotations.append(
                {
                    "id": 100 + len(annotations),
                    "image_id": i,
                    "category_id": class_id,
                    "bbox": [int(v) for v in box],
                    "segmentation": encode(mask),
                    "iscrowd": 0,
                    "area": int(mask.sum()),
                }
            )
        image = colours[labels] + rng.normal(0, 12, (*SIZE, 3))
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / "images" / f"p{i}.png")
        images.append({"id": i, "file_name": f"p{i}.png", "height": SIZE[0], "width": SIZE[1]})
    (root / "classes.txt").write_text("".join(f"{k} {v}\n" for k, v in enumerate(CLASSES.names)))
    categories = [{"id": k, "name": name} for k, name in enumerate(CLASSES.names) if k]
    (root / "boxes.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return root


def objects_of(root: Path, indices) -> BoxColumns:
    names = tuple(f"images/p{i}.png" for i in indices)
    sizes = np.array([SIZE] * len(names), np.int32)
    return boxes_of(root, names, sizes, CLASSES, None)[0]


def write_maps(path: Path, root: Path, indices=range(5), *, level: float = 0.9, failed=()) -> Path:
    """A ``contour`` file whose maps are the truth, ``level`` inside and a tenth of it outside."""
    found = objects_of(root, indices)
    header = store.new_header(
        "contour",
        stage="contour",
        params={"level": level},
        inputs=[store.Input("data", {"fingerprint": "0" * 32}, str(root))],
        image_root=root,
        **found.header_fields(),
    )
    with store.create(header, path, max_failed=99) as writer:
        for i, number in enumerate(indices):
            if i in failed:
                writer.fail("made to fail")
                continue
            maps = []
            for row, (_, mask) in zip(found.rows(i), truth_of(number), strict=True):
                x0, y0, x1, y1 = found.columns["window"][row]
                maps.append(np.where(mask, level, level / 10)[y0:y1, x0:x1].reshape(-1))
            writer.write(np.concatenate([np.zeros(0), *maps]), score=[0.5] * len(maps))
    return path


def write_proposals(path: Path, root: Path, indices=range(5), *, side: int = 4) -> Path:
    """A ``proposal`` file of squares: each alone, rows of them, and everything."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] // side
    columns = int(x.max()) + 1
    superpixels = (y * columns + x).astype(np.uint16)
    count = int(superpixels.max()) + 1
    rows = [(s, s, 1) for s in range(count)]
    for first in range(0, count, columns):
        node = first
        for s in range(first + 1, first + columns):
            rows.append((node, s, 1))
            node = count + len(rows) - 1
    record = np.concatenate([superpixels.reshape(-1), np.array(rows, np.uint16).reshape(-1)])
    header = store.new_header(
        "proposal",
        stage="propose",
        params={"side": side},
        inputs=[store.Input("data", {"fingerprint": "0" * 32}, str(root))],
        images=[f"images/p{i}.png" for i in indices],
        sizes=np.array([SIZE] * len(indices)),
        shapes=np.array([(*SIZE, -1)] * len(indices)),
        elements=np.full(len(indices), len(record)),
        classes=ClassList(()),
        image_root=root,
        attributes={"max_proposals": len(rows)},
    )
    with store.create(header, path) as writer:
        for _ in indices:
            writer.write(record)
    return path
