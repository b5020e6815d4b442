"""Consistency checks of a header: matching columns, image names inside their folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from wsstool.errors import BadInputError
from wsstool.image_size import MAX_PIXELS, MOST_PIXELS
from wsstool.store.header import Header
from wsstool.store.schema import COMMON_HEAD, KINDS

_FAR = 1e9  #: pixels; no box lies farther out


_OF_PARTS = ("cam", "mask")
"""Kinds that are also made of images which are never decoded whole."""


def check_columns(header: Header) -> None:
    """Raise ValueError, with the column's name, unless all columns match each other and the payload."""
    kind, columns = KINDS[header.payload], header.columns
    require(header.dtype in kind.dtypes, f"{header.dtype} and {header.payload}")
    require("image" in columns and columns["image"].ndim == 1, "image")
    require(columns["image"].dtype.kind == "S", "image")
    layers = header.attributes.get("layers", [""])
    require(isinstance(layers, list | tuple) and all(isinstance(x, str) for x in layers) and layers, "layers")
    absent = kind.optional if not any(name in columns for name in kind.optional) else ()
    for name, (dtype, index, _) in sorted(
        {**COMMON_HEAD, **kind.head}.items(), key=lambda item: not item[0].endswith("offset")
    ):
        if name not in columns and (name == "label" or name in absent):
            continue
        column = columns[name]
        require(column.dtype.kind == "S" if dtype == "S" else column.dtype == dtype, name)
        require(column.shape == header.column_shape(index), name)
        if name.endswith("offset"):
            require(column[0] == 0 and bool(np.all(column[1:] >= column[:-1])), name)
    offsets, shapes = header.offsets, header.shapes
    pixels = header.sizes.prod(1, dtype=float).max(initial=0)
    most = MOST_PIXELS if header.payload in _OF_PARTS else MAX_PIXELS
    require(header.sizes.min(initial=0) >= 0 and pixels <= most, "size")
    require(shapes.min(initial=0) >= -1, "shape")
    counts = np.diff(offsets)
    plain = (shapes >= 0).all(axis=1)
    _fits(counts[plain], shapes[plain], "shape")
    _CHECKS_OF_KINDS.get(header.payload, lambda header, counts: None)(header, counts)
    _check_classes(header)
    if "box" in columns:
        _check_boxes(header)
    if header.sentences is not None and header.payload == "mask":  # and all of them are decoded
        require(np.all(shapes[:, 0] == np.diff(columns["box_offset"])), "box_offset")
    if "window" in columns:
        _check_windows(header, counts)


def _check_classes(header: Header) -> None:
    classes, labels = header.classes, header.labels
    in_range = [isinstance(v, int) and 0 <= v <= 255 for colour in classes.palette for v in colour]
    require(all(in_range) and all(len(colour) == 3 for colour in classes.palette), "palette")
    require(len(classes.palette) <= 256, "palette")
    require(labels is None or not labels.size or labels.max() <= 1, "label")


def _check_boxes(header: Header) -> None:
    box, ids = header.columns["box"], header.columns["box_class"]
    known = np.isfinite(box) & (np.abs(box) <= _FAR)
    if header.sentences is not None:
        known |= np.isnan(box).all(1, keepdims=True)
    require(known.all(), "box")
    require(not ids.size or ids.max() < len(header.classes), "box_class")


def _check_windows(header: Header, counts: np.ndarray) -> None:
    window, bounds = header.columns["window"].astype(float), header.columns["box_offset"]
    size = np.repeat(header.sizes, np.diff(bounds), axis=0)
    require(np.all(window >= 0) and np.all(window[:, 2:] >= window[:, :2]), "window")
    require(np.all(window[:, 2:] <= size[:, ::-1]), "window")
    areas = np.concatenate([[0], np.cumsum((window[:, 2:] - window[:, :2]).prod(1))])
    require(np.all((counts == areas[bounds[1:]] - areas[bounds[:-1]]) | (counts == 0)), "window")


def _check_cam(header: Header, counts: np.ndarray) -> None:
    grids, maps, ids = (header.columns[name] for name in ("layer_size", "map_offset", "map_class"))
    require(grids.min(initial=0) >= 0, "layer_size")
    cells = grids.astype(float).prod(2).sum(1)
    require(np.all((counts == np.diff(maps) * cells) | (counts == 0)), "layer_size")
    require(not ids.size or ids.max() < len(header.classes), "map_class")


def _check_mask(header: Header, counts: np.ndarray) -> None:
    shapes, filled = header.shapes, counts > 0
    require(np.all(shapes[filled, 1:] == header.sizes[filled]), "shape")
    if header.sentences is None:
        require(np.all(shapes[filled, 0] == len(header.layers)), "shape")


def _check_proposal(header: Header, counts: np.ndarray) -> None:
    rows = header.attributes["max_proposals"]
    require(isinstance(rows, int) and 0 <= rows < 65535, "max_proposals")
    require(np.all((counts == header.sizes.prod(1, dtype=np.int64) + 3 * rows) | (counts == 0)), "shape")


def _check_box(header: Header, counts: np.ndarray) -> None:
    named = header.attributes["columns"]
    require(isinstance(named, list | tuple) and len(named) >= 4, "columns")
    require(all(isinstance(one, str) for one in named) and len(set(named)) == len(named), "columns")
    require(np.all(counts % len(named) == 0), "shape")


def _check_score(header: Header, counts: np.ndarray) -> None:
    conditions, measure = header.attributes["conditions"], header.attributes["measure"]
    require(isinstance(conditions, list | tuple) and conditions, "conditions")
    require(
        all(isinstance(one, str) and one.rpartition(" ")[2].isdecimal() for one in conditions),
        "conditions",
    )
    require(measure in ("class", "scores", "pixels"), "measure")
    require(np.all((header.shapes[:, 0] == len(conditions)) | (counts == 0)), "shape")


_CHECKS_OF_KINDS: dict[str, Callable[[Header, np.ndarray], None]] = {
    "cam": _check_cam,
    "mask": _check_mask,
    "proposal": _check_proposal,
    "box": _check_box,
    "score": _check_score,
}


def check_names(images: Sequence[str]) -> None:
    """Raise BadInputError unless names are relative, stay inside the folder, and are sorted and unique."""
    for name in images:
        if not name or name.startswith("/") or "\0" in name or ".." in name.split("/"):
            raise BadInputError(f"image name {name!r} is outside the data folder")
    for before, after in pairwise(images):
        if before >= after:
            raise BadInputError(f"image names are not sorted and unique: {before!r} before {after!r}")


def require(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(f"inconsistent {what}")


def _fits(counts: np.ndarray, shapes: np.ndarray, name: str) -> None:
    """Also compare in floating point: in int64 alone, damaged shapes could overflow to the right number."""
    exact, rough = shapes.prod(1, dtype=np.int64), shapes.astype(float).prod(1)
    require(np.all(((counts == exact) & (np.abs(counts - rough) < 1)) | (counts == 0)), name)
