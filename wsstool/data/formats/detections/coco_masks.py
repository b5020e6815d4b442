"""Masks of COCO results and of SAM's output: image, shape and score."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsstool.errors import BadInputError, MissingInputError

_SCORES = ("score", "predicted_iou", "stability_score")


@dataclass(frozen=True)
class MaskResult:
    """One mask.

    Args:
        image: number or name, as in the file.
        shape: run lengths or polygons, see ``data.geometry.shapes.shape_mask``.
        score: higher is better.
        source: for messages.
    """

    image: int | str
    shape: Any
    score: float
    source: str


def read(path: Path) -> list[MaskResult]:
    """Read the masks of a results file, in its order.

    It is a list of objects ``{image_id or file_name, segmentation, score}``; or one object with
    ``annotations`` of that kind and ``images`` (COCO) or ``image`` (SAM's dataset). SAM's own output names no
    image: the file is named after it. A score may also be called ``predicted_iou`` or ``stability_score``;
    without scores, all are equal.

    Raises:
        MissingInputError: no such file.
        BadInputError: not JSON in one of these formats.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"'{path}' is not JSON ({error})") from None
    try:
        return list(_results(found, path))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(f"'{path}' is not a COCO results file ({what})") from None


def _results(found: Any, path: Path) -> Iterator[MaskResult]:
    names: dict[Any, str] = {}
    image: Any = path.stem
    if isinstance(found, dict):
        names = _names(found.get("images", ()))
        image = found.get("image", {}).get("file_name", image)
        found = found["annotations"]
    if not isinstance(found, list):
        raise ValueError("there is no list of masks")
    for number, one in enumerate(found):
        key = one.get("file_name", one.get("image_id", image))
        score = next((float(one[name]) for name in _SCORES if one.get(name) is not None), 1.0)
        if not score == score:
            raise ValueError(f"mask {number} has a score that is not a number")
        yield MaskResult(names.get(key, key), one["segmentation"], score, f"mask {number} of '{path}'")


def image_numbers(path: Path) -> dict[int, str]:
    """Return image id -> file name of a COCO file that lists its images."""
    try:
        images = json.loads(path.read_bytes())["images"]
        return {int(key): name for key, name in _names(images).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"'{path}' does not list its images in the COCO format ({error})") from None


def _names(images: Iterable[dict[str, Any]]) -> dict[Any, str]:
    """Return image id -> file name."""
    found: dict[Any, str] = {}
    for one in images:
        if one["id"] in found:
            raise ValueError(f"image id {one['id']!r} is listed twice")
        found[one["id"]] = str(one["file_name"])
    return found
