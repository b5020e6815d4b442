"""The lines of YOLO labels: boxes, polygons, and boxes followed by the keypoints of a pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool.annotation_file import regular
from wsstool.data.formats.yolo.names import YoloDescription
from wsstool.errors import BadInputError

_LARGEST = 65535
_SLACK = 0.02
"""Share of the image by which a box may leave it, or a keypoint its box."""

_MOST = 0.9
"""Share of the lines that must look like poses."""


@dataclass(frozen=True)
class YoloLine:
    """One object as it is written.

    Args:
        image: name of the image, without a suffix.
        number: of the class.
        values: the numbers after it.
        where: file and line, for messages.
    """

    image: str
    number: int
    values: list[float]
    where: str

    @property
    def is_long(self) -> bool:
        """Whether there is more than a box and a score."""
        return len(self.values) > 5

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Centre and size: the first four numbers."""
        x, y, width, height = self.values[:4]
        return x, y, width, height

    @property
    def polygon_box(self) -> tuple[float, float, float, float]:
        """Centre and size of the box around a polygon."""
        x, y = self.values[::2], self.values[1::2]
        left, right, top, bottom = min(x), max(x), min(y), max(y)
        return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def read_lines(folder: Path, path: Path, prefix: str = "") -> list[YoloLine]:
    """Return the objects of a label file; ``prefix`` is put before the names of the images.

    Raises:
        BadInputError: unreadable, or a line in another format.
    """
    try:
        lines = regular(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise BadInputError(f"YOLO labels {str(path)!r} cannot be read: {error}") from None
    image = prefix + path.relative_to(folder).with_suffix("").as_posix()
    numbered = ((number, line.split()) for number, line in enumerate(lines, 1))
    return [_parsed(words, image, f"{str(path)!r}, line {number}") for number, words in numbered if words]


def _parsed(words: Sequence[str], image: str, where: str) -> YoloLine:
    try:
        number, values = float(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        raise BadInputError(f"{where}: expected a class number and coordinates") from None
    if not number.is_integer() or not 0 <= number < _LARGEST or len(values) < 4:
        what = f"{len(values)} numbers after the class" if len(values) < 4 else f"class number {words[0]}"
        raise BadInputError(f"{where}: {what}; a line has a class number from 0 on and at least 4 numbers")
    return YoloLine(image, int(number), values, where)


def are_poses(lines: Sequence[YoloLine], description: YoloDescription, source: str) -> bool:
    """Decide whether the long lines are boxes with keypoints; else they are polygons.

    Without a description that says so, lines of one length are looked at: each keypoint has its visibility
    (0, 1 or 2) as a third number; or none, and then such a line could also be a polygon.

    Raises:
        BadInputError: another number of values than stated or than a polygon has, or lines that may be both.
    """
    long = [line for line in lines if line.is_long]
    lengths = {len(line.values) for line in long}
    if description.keypoints is not None:
        count, numbers = description.keypoints
        expected = 4 + count * numbers
        for line in long:
            if len(line.values) not in (expected, expected + 1):  # the last may be a score
                raise BadInputError(
                    f"{line.where}: {len(line.values)} numbers after the class, but kpt_shape [{count}, "
                    f"{numbers}] in {str(description.source)!r} makes {expected}"
                )
        return True
    if description.task == "pose":
        return True
    if len(lengths) == 1 and description.task != "segment":
        length = next(iter(lengths))
        if (length - 4) % 3 == 0 and _look_like_poses(long, 3):
            return True
        if length % 2 == 0 and _look_like_poses(long, 2):
            raise BadInputError(
                f"the lines of {source} may be polygons, or boxes with {(length - 4) // 2} keypoints; state "
                f"'task: segment' or 'kpt_shape: [{(length - 4) // 2}, 2]' in its data.yaml"
            )
    for line in long:
        if len(line.values) % 2:
            raise BadInputError(
                f"{line.where}: {len(line.values)} numbers after the class; a box has 4, a polygon an even "
                "number of at least 6"
            )
    return False


def _look_like_poses(lines: Sequence[YoloLine], numbers: int) -> bool:
    """Whether most lines have a box inside the image, with all keypoints inside the box or at 0, 0."""
    table = np.array([line.values for line in lines])
    centre, size, points = table[:, :2], table[:, 2:4], table[:, 4:].reshape(len(table), -1, numbers)
    half = size[:, None] / 2
    is_inside = ((centre - size / 2 >= -_SLACK) & (centre + size / 2 <= 1 + _SLACK) & (size > 0)).all(1)
    offset = np.abs(points[..., :2] - centre[:, None])
    is_missing = (points[..., :2] == 0).all(2)
    is_placed = (is_missing | (offset <= half + _SLACK).all(2)).all(1) & ~is_missing.all(1)
    if numbers == 3 and not np.isin(points[..., 2], (0, 1, 2)).all():
        return False
    return bool((is_inside & is_placed).mean() >= _MOST)
