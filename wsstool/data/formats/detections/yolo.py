"""YOLO's predictions, one text file per image: lines ``class x-centre y-centre width height score``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wsstool.annotation_file import regular
from wsstool.data.detections import Detections
from wsstool.errors import BadInputError


def read(folder: Path) -> Detections:
    """Read the boxes of all ``*.txt`` of a folder, in shares of the image: IoU is the same as in pixels.

    Raises:
        BadInputError: a line in another format; without the score it is a label, not a prediction.
    """
    files = sorted((p for p in folder.glob("*.txt") if p.name != "classes.txt"), key=lambda p: p.stem)
    image, rows = [], []
    for k, path in enumerate(files):
        try:
            lines = regular(path).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise BadInputError(f"YOLO predictions '{path}' cannot be read: {error}") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                values = [float(word) for word in line.split()]
                if len(values) != 6 or values[0] != int(values[0]):
                    raise ValueError
            except (ValueError, OverflowError):
                raise BadInputError(
                    f"'{path}', line {number}: expected six numbers: class, x, y, width, height, score"
                ) from None
            image.append(k)
            rows.append(values)
    table = np.array(rows, np.float64).reshape(-1, 6)
    centre, half = table[:, 1:3], table[:, 3:5] / 2
    return Detections(
        tuple(path.stem for path in files),
        np.array(image, np.int64),
        np.concatenate([centre - half, centre + half], 1),
        table[:, 5],
        table[:, 0].astype(np.int64),
        fractions=True,
    )


def written(found: Detections) -> dict[str, str]:
    """Return file name -> text; images without a box have an empty file.

    Raises:
        BadInputError: rotated boxes, boxes in pixels of images of unknown size, or two images whose names
            differ only in folder and suffix.
    """
    if found.boxes.shape[1] != 4:
        raise BadInputError("YOLO predictions must be axis-aligned boxes")
    boxes = found.boxes
    if not found.fractions:
        if found.sizes is None or not (found.sizes > 0).all():
            raise BadInputError("YOLO predictions are fractions of the image size, which is not known here")
        boxes = boxes / found.sizes[found.image][:, [1, 0, 1, 0]]
    lines: dict[str, list[str]] = {}
    for name in found.images:
        if (text_name := f"{Path(name).stem}.txt") in lines:
            raise BadInputError(f"'{name}' and another image would both be written to '{text_name}'")
        lines[text_name] = []
    for k in range(len(found)):
        x1, y1, x2, y2 = boxes[k].tolist()
        numbers = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, float(found.scores[k]))
        text = " ".join(f"{number:.7g}" for number in numbers)
        lines[f"{Path(found.images[int(found.image[k])]).stem}.txt"].append(f"{int(found.classes[k])} {text}")
    return {name: "".join(line + "\n" for line in some) for name, some in lines.items()}
