"""Detections of many images in one table, and the foreign format of a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from wsstool.annotation_file import regular
from wsstool.data.listing import is_image_name
from wsstool.errors import BadInputError, MissingInputError

T = TypeVar("T")

COLUMNS = ("localisation", "density", "group", "model")
"""Optional columns with one number per box; ``std`` has four."""


@dataclass(frozen=True)
class Detections:
    """N boxes of I images.

    Args:
        images: I names sorted by code point; in COCO results, the image ids as text.
        image: (N,) int64, image index of each box.
        boxes: (N, 4) float64 xyxy in pixels; or (N, 5) centre x, y, width, height, angle in radians.
        scores: (N,) float64.
        classes: (N,) int64.
        names: class id -> name, as far as the source has names.
        columns: ``std`` (N, 4) and those of ``COLUMNS`` (N,) that the source has.
        sizes: (I, 2) rows and columns of the images; None: unknown.
        rows: the source entry of each box, kept for writing.
        masks: N run lengths, if each box has one.
        fractions: coordinates are shares of the image's width and height.
    """

    images: tuple[str, ...]
    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    names: dict[int, str] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    sizes: np.ndarray | None = None
    rows: tuple[dict[str, Any], ...] = ()
    masks: tuple[dict[str, Any], ...] = ()
    fractions: bool = False

    def __len__(self) -> int:
        return len(self.image)

    def take(self, chosen: np.ndarray) -> Detections:
        """Return the boxes ``chosen``, of the same images."""
        return replace(
            self,
            image=self.image[chosen],
            boxes=self.boxes[chosen],
            scores=self.scores[chosen],
            classes=self.classes[chosen],
            columns={name: column[chosen] for name, column in self.columns.items()},
            rows=tuple(self.rows[k] for k in chosen) if self.rows else (),
            masks=tuple(self.masks[k] for k in chosen) if self.masks else (),
        )


def invalid(found: Detections) -> np.ndarray:
    """Mark NaN or infinite numbers, inverted corners, negative sizes: (N,) bool."""
    bad = ~np.isfinite(found.boxes).all(1) | ~np.isfinite(found.scores)
    for column in found.columns.values():
        finite = np.isfinite(column)
        bad |= ~(finite.all(1) if column.ndim == 2 else finite)
    if found.boxes.shape[1] == 5:
        return bad | (found.boxes[:, 2:4] < 0).any(1)
    return bad | (found.boxes[:, 2:] < found.boxes[:, :2]).any(1)


def invalid_error(found: Detections, bad: np.ndarray, way_out: str) -> BadInputError:
    """Build the error that counts the invalid boxes and shows the first."""
    k, count = int(np.flatnonzero(bad)[0]), int(bad.sum())
    numbers = ", ".join(f"{number:g}" for number in found.boxes[k].tolist())
    return BadInputError(
        f"{count} {'box is' if count == 1 else 'boxes are'} invalid, such as [{numbers}] with score "
        f"{found.scores[k]:g} in '{found.images[int(found.image[k])]}'; {way_out}"
    )


def form_of(path: Path) -> str | None:
    """Detect the format of a path: ``coco``, ``csv`` or ``yolo``; None: another one, such as a record file.

    Raises:
        MissingInputError: no such file.
    """
    if not path.exists():
        raise MissingInputError(f"there is no '{path}'")
    if path.is_dir():
        names = [one.name for one in path.iterdir() if one.is_file()]
        texts = [name for name in names if name.endswith(".txt") and name != "classes.txt"]
        return "yolo" if texts and not any(map(is_image_name, names)) else None
    if path.suffix.lower() == ".csv":
        return "csv"
    if path.suffix.lower() == ".json":
        with open(regular(path), "rb") as file:
            return None if file.read(4) == b"\x89HDF" else "coco"
    return None


def form_to_write(path: Path) -> str | None:
    """Return the format implied by the name of an output file; None: a record file."""
    return {".json": "coco", ".csv": "csv", "": "yolo"}.get(path.suffix.lower())


def concatenated(parts: Sequence[Detections]) -> Detections:
    """All boxes of parts that have the same images, classes and columns."""
    first = parts[0]
    return replace(
        first,
        image=np.concatenate([part.image for part in parts]),
        boxes=np.concatenate([part.boxes for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
        rows=_all_or_none([part.rows for part in parts], parts),
        masks=_all_or_none([part.masks for part in parts], parts),
    )


def _all_or_none(given: Sequence[tuple[T, ...]], parts: Sequence[Detections]) -> tuple[T, ...]:
    """The items of all boxes, or none where those of a part are missing."""
    if any(len(items) != len(part) for items, part in zip(given, parts, strict=True)):
        return ()
    return tuple(item for items in given for item in items)


def joined(parts: Sequence[Detections], sources: Sequence[str]) -> Detections:
    """Join the boxes of several models, with the column ``model``: the source of each box.

    Columns that not all have are left out, and so are masks.

    Raises:
        BadInputError: different class names, or a mixture of rotated and upright boxes, or of shares and
            pixels.
    """
    names = _common_names(parts, sources)
    images = tuple(sorted({image for part in parts for image in part.images}))
    place = {image: k for k, image in enumerate(images)}
    places = [np.array([place[name] for name in part.images], np.int64) for part in parts]
    shared = sorted(set.intersection(*(set(part.columns) for part in parts)) - {"model"})
    moved = [
        replace(
            part,
            images=images,
            image=at[part.image],
            names=names,
            columns={name: part.columns[name] for name in shared} | {"model": np.full(len(part), float(k))},
            sizes=_common_sizes(parts, places, len(images)),
            masks=(),
        )
        for k, (part, at) in enumerate(zip(parts, places, strict=True))
    ]
    return concatenated(moved)


def _common_names(parts: Sequence[Detections], sources: Sequence[str]) -> dict[int, str]:
    first, names = parts[0], dict(parts[0].names)
    for part, source in zip(parts, sources, strict=True):
        if part.boxes.shape[1] != first.boxes.shape[1] or part.fractions != first.fractions:
            raise BadInputError(f"'{source}' and '{sources[0]}' have different box formats")
        for key, name in part.names.items():
            if names.setdefault(key, name) != name:
                raise BadInputError(
                    f"class {key} is '{name}' in '{source}' but '{names[key]}' in an earlier file"
                )
    return names


def _common_sizes(parts: Sequence[Detections], places: Sequence[np.ndarray], count: int) -> np.ndarray | None:
    """(count, 2) rows and columns of the images; None where a part does not know those of its own."""
    sizes = np.zeros((count, 2), np.int64)
    for part, at in zip(parts, places, strict=True):
        if part.sizes is None:
            return None
        sizes[at] = part.sizes
    return sizes
