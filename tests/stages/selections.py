"""Small selection files: hard masks, names of images and classes with blanks and letters of all kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.types import ClassList

CLASSES = ClassList(("background", "traffic light", 'Käfer & <Öl> "x"', "行人"), 0)
NAMES = ("images/a/eins.jpg", "images/a/zwei drei.jpg", "images/犬 & größe/eins.png")
SIZES = ((9, 12), (7, 5), (4, 6))

# (image, class, corner of the window, rows of the mask; x: unsure)
OBJECTS = [
    (0, 1, (1, 2), ["11111", "10001", "10101", "10001", "11111"]),  # a hole with an island in it
    (0, 2, (3, 0), ["1"]),
    (0, 3, (0, 0), ["10000", "01000", "00111"]),  # corners that touch, at the border
    (0, 1, (8, 5), ["0110", "1001", "0110", "0000"]),
    (2, 3, (0, 0), ["111111", "111111", "111111", "111111"]),  # the whole image
    (2, 2, (2, 1), ["1100", "1001"]),
]


def write_selection(
    path: Path,
    *,
    unsure: bool = False,
    empty: bool = False,
    ids: tuple[int, ...] = (),
    fail: int = -1,
    classes: ClassList = CLASSES,
) -> Path:
    """The objects above as a file; ``unsure``: with one such pixel; ``empty``: one without pixels."""
    objects = [
        (i, c, corner, np.array([[int(v) for v in row] for row in rows])) for i, c, corner, rows in OBJECTS
    ]
    if unsure:
        objects[3][3][0, 0] = 255
    if empty:
        objects[5][3][:] = 0
    windows = [(x, y, x + m.shape[1], y + m.shape[0]) for _, _, (x, y), m in objects]
    counts = np.bincount([o[0] for o in objects], minlength=3)
    ends = np.concatenate([[0], np.cumsum(counts)])
    header = store.new_header(
        "selection",
        stage="select",
        params={},
        inputs=[],
        images=NAMES,
        sizes=np.array(SIZES),
        shapes=np.stack([counts, [-1] * 3, [-1] * 3], 1),
        elements=np.array([sum(o[3].size for o in objects if o[0] == i) for i in range(3)]),
        classes=classes,
        columns={
            "box_offset": ends,
            "box": np.array(windows, np.float32) + np.float32(0.1) * np.array([1, 1, -1, -1], np.float32),
            "box_class": [o[1] for o in objects],
            "box_id": ids or [7, 3, 12, 40, 5, 1 << 40],
            "window": windows,
        },
    )
    with store.create(header, path, max_failed=3) as writer:
        for i in range(3):
            masks = [o[3].astype(np.uint8).reshape(-1) for o in objects if o[0] == i]
            if i == fail:
                writer.fail("made to fail")
                continue
            writer.write(
                np.concatenate([np.zeros(0, np.uint8), *masks]),
                score=np.arange(ends[i], ends[i + 1]) / 10 + 0.123,
                fallback=np.zeros(counts[i]),
            )
    return path


def objects_of(path: Path) -> dict[tuple[str, int], tuple[str, float, list[float], np.ndarray]]:
    """(image, id) -> class name, score, box and (H, W) mask of every object of a selection file."""
    found = {}
    with store.open_records(path) as reader:
        header = reader.header
        records = list(reader.records())
        for record in records:
            rows = header.rows(record.index, "box")
            for k, mask in zip(range(rows.start, rows.stop), record.windows, strict=True):
                x0, y0, x1, y1 = header.columns["window"][k]
                whole = np.zeros(record.size, np.uint8)
                whole[y0:y1, x0:x1] = mask
                name = header.classes.names[int(header.columns["box_class"][k])]
                key = (record.name, int(header.columns["box_id"][k]))
                found[key] = (name, float(reader.tail["score"][k]), header.columns["box"][k].tolist(), whole)
    return found
