"""Consistency checks of a header: matching columns, image names inside their folder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from wsstool.errors import BadInputError
from wsstool.store.header import Header
from wsstool.store.schema import COMMON_HEAD, KINDS


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
    require(header.sizes.min(initial=0) >= 0, "size")
    require(shapes.min(initial=0) >= -1, "shape")
    counts = np.diff(offsets)
    plain = (shapes >= 0).all(axis=1)
    _fits(counts[plain], shapes[plain], "shape")
    if header.payload == "cam":
        grids, maps = columns["layer_size"], np.diff(columns["map_offset"])
        require(grids.min(initial=0) >= 0, "layer_size")
        cells = grids.astype(float).prod(2).sum(1)
        require(np.all((counts == maps * cells) | (counts == 0)), "layer_size")
        require(
            not columns["map_class"].size or columns["map_class"].max() < len(header.classes), "map_class"
        )
    if header.payload == "proposal":
        rows = header.attributes["max_proposals"]
        require(isinstance(rows, int) and 0 <= rows < 65535, "max_proposals")
        require(np.all((counts == header.sizes.prod(1, dtype=np.int64) + 3 * rows) | (counts == 0)), "shape")
    if header.payload == "box":
        named = header.attributes["columns"]
        require(isinstance(named, list | tuple) and len(named) >= 4, "columns")
        require(np.all(counts % len(named) == 0), "shape")
    if header.payload == "score":
        conditions, measure = header.attributes["conditions"], header.attributes["measure"]
        require(isinstance(conditions, list | tuple) and conditions, "conditions")
        require(
            all(isinstance(one, str) and one.rpartition(" ")[2].isdecimal() for one in conditions),
            "conditions",
        )
        require(measure in ("class", "scores", "pixels"), "measure")
        require(np.all((shapes[:, 0] == len(conditions)) | (counts == 0)), "shape")
    if header.sentences is not None and header.payload == "mask":  # and all of them are decoded
        require(np.all(shapes[:, 0] == np.diff(columns["box_offset"])), "box_offset")
    if "window" in columns:
        window = columns["window"].astype(float)
        require(np.all(window >= 0) and np.all(window[:, 2:] >= window[:, :2]), "window")
        areas = np.concatenate([[0], np.cumsum((window[:, 2:] - window[:, :2]).prod(1))])
        bounds = columns["box_offset"]
        require(np.all((counts == areas[bounds[1:]] - areas[bounds[:-1]]) | (counts == 0)), "window")


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
