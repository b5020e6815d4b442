"""GeoJSON, one file per image: outlines with holes, as QuPath and geographic programs read them.

Coordinates are pixels of the image with its upper left corner as (0, 0), the convention of QuPath.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.data.geometry.instances import AnnotatedImage, Instance
from wsstool.data.geometry.polygons import Part, parts
from wsstool.data.listing import without_suffix
from wsstool.data.palettes import class_palette
from wsstool.errors import UsageError
from wsstool.types import ClassList

KINDS = ("annotation", "detection")
LARGEST_SCALE = 65536


def write(
    images: Sequence[AnnotatedImage],
    target: Path,
    classes: ClassList,
    *,
    scale: float = 1.0,
    object: str = "annotation",
) -> None:
    """Write one ``NAME.geojson`` per image, a collection of features with class, colour and score.

    Args:
        images: images and objects to write; an image without objects gets an empty collection.
        target: the folder.
        classes: with the colours of the classes.
        scale: pixels of the full image per pixel of the mask, above 0: 4 for masks of an image that is four
            times smaller than the slide.
        object: kind of object in QuPath, ``annotation`` or ``detection``; detections are drawn faster and
            cannot be edited.

    Raises:
        UsageError: unknown ``object``, or ``scale`` out of range.

    Notes:
        An object is a Polygon, or a MultiPolygon if it has parts that touch at corners at most. Rings run
        along pixel edges and are closed; outer ones have positive area, holes negative. The score stands in
        ``measurements``, and once more as ``score`` for programs that read flat properties.

    Source: RFC 7946 (Butler et al., 2016), and QuPath's description of its GeoJSON; written from them.
    """
    if object not in KINDS:
        raise UsageError(f"--set object={object}: give {' or '.join(KINDS)}")
    if not 0 < scale <= LARGEST_SCALE:
        raise UsageError(f"scale must lie above 0 and be at most {LARGEST_SCALE}, not {scale:g}")
    colours = dict(zip(classes.names, class_palette(classes), strict=False))
    target.mkdir()
    for image in images:
        path = target / (without_suffix(image.name) + ".geojson")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write('{"type": "FeatureCollection", "features": [')
            for k, feature in enumerate(_features(image, colours, scale, object)):
                file.write((",\n" if k else "\n") + json.dumps(feature, ensure_ascii=False))
            file.write("\n]}\n")


def _features(
    image: AnnotatedImage, colours: dict[str, np.ndarray], scale: float, kind: str
) -> Iterator[dict[str, Any]]:
    for instance in image.instances:
        named = {"name": instance.label, "color": colours[instance.label].tolist()}
        yield {
            "type": "Feature",
            "id": instance.id,
            "geometry": _geometry(instance, scale),
            "properties": {
                "objectType": kind,
                "classification": named,
                **({"name": instance.sentence} if instance.sentence else {}),
                "score": instance.score,
                "measurements": {"score": instance.score, "area": float(instance.mask.sum() * scale**2)},
            },
        }


def _geometry(instance: Instance, scale: float) -> dict[str, Any]:
    corner = np.array(instance.window[:2])
    polygons = [_rings(part, corner, scale) for part in parts(instance.mask == 1)]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _rings(part: Part, corner: np.ndarray, scale: float) -> list[list[list[float]]]:
    """The closed rings of a part, the outer one first."""
    moved = [(ring + corner) * scale for ring in (part.outline, *part.holes)]
    return [_numbers(np.concatenate([ring, ring[:1]])) for ring in moved]


def _numbers(points: np.ndarray) -> list[list[float]]:
    """Whole numbers where all of them are."""
    found: list[list[float]] = (points.astype(np.int64) if (points % 1 == 0).all() else points).tolist()
    return found
