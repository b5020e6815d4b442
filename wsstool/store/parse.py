"""From raw attributes and columns to a Header: everything is checked before anybody relies on it.

HDF5 does not checksum column data, and the file's own checksum is known only at the end of a stream. A header
that passes here can be used at once: no reshape, index or allocation that follows from it can fail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from wsstool.errors import BadInputError
from wsstool.store.header import ROOT_ATTRIBUTES, Header, check_names
from wsstool.store.schema import COMMON_HEAD, KINDS
from wsstool.types import ClassList

_TEXTS = ("stage", "payload", "key", "image_root")


def parse_header(
    attributes: Mapping[str, Any],
    columns: Mapping[str, np.ndarray],
    dtype: str,
    more_tail: Mapping[str, tuple[str, tuple[int, ...]]],
) -> Header:
    """The Header of a file from its raw attributes and head columns, checked for consistency.

    Args:
        attributes: root attributes; texts decoded.
        columns: head columns.
        dtype: of the payload.
        more_tail: columns behind the payload that the schema does not name: name -> (dtype, shape).
    Raises:
        BadInputError: anything that does not fit together.
    """
    try:
        _require(all(isinstance(attributes[name], str) for name in _TEXTS), "attributes")
        classes = ClassList(
            tuple(json.loads(attributes["classes"])),
            int(attributes["background"]),
            tuple(tuple(rgb) for rgb in json.loads(attributes.get("palette", "[]"))),
        )
        known = KINDS[attributes["payload"]].attributes
        own = {
            name: json.loads(value) if name in known and isinstance(value, str) else _plain(value)
            for name, value in attributes.items()
            if name not in ROOT_ATTRIBUTES
        }
        header = Header(
            payload=attributes["payload"],
            dtype=dtype,
            stage=attributes["stage"],
            key=attributes["key"],
            params=json.loads(attributes["params"]),
            classes=classes,
            image_root=attributes["image_root"],
            inputs=json.loads(attributes["inputs"]),
            provenance=json.loads(attributes["provenance"]),
            columns=dict(columns),
            attributes=own,
            more_tail=more_tail,
        )
        _require(all(isinstance(name, str) for name in classes.names), "classes")
        _require(-1 <= classes.background < len(classes), "background")
        _require(isinstance(header.params, dict), "params")
        _require(all(isinstance(one["role"], str) for one in header.inputs), "inputs")
        _require(all(isinstance(one["key"] + one["command"], str) for one in header.provenance), "provenance")
        check_columns(header)
        check_names(header.images)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadInputError(f"its header is damaged ({type(error).__name__}: {error})") from error
    return header


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, np.integer) else value


def _require(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} do not fit")


def check_columns(header: Header) -> None:
    """Raise ValueError, with the column's name, unless all columns fit together and to the payload."""
    kind, columns = KINDS[header.payload], header.columns
    _require(header.dtype in kind.dtypes, f"{header.dtype} and {header.payload}")
    _require("image" in columns and columns["image"].ndim == 1 and len(header) > 0, "image")
    _require(columns["image"].dtype.kind == "S", "image")
    layers = header.attributes.get("layers", [""])
    _require(
        isinstance(layers, list | tuple) and all(isinstance(x, str) for x in layers) and layers, "layers"
    )
    for name, (dtype, index, _) in sorted(
        {**COMMON_HEAD, **kind.head}.items(), key=lambda item: not item[0].endswith("offset")
    ):
        if name == "label" and name not in columns:
            continue
        column = columns[name]
        _require(dtype == "S" or column.dtype == dtype, name)
        _require(column.shape == header.column_shape(index), name)
        if name.endswith("offset"):
            _require(column[0] == 0 and bool(np.all(column[1:] >= column[:-1])), name)
    offsets, shapes = header.offsets, header.shapes
    _require(header.sizes.min() >= 0, "size")
    _require(shapes.min() >= -1, "shape")
    counts = np.diff(offsets)
    plain = (shapes >= 0).all(axis=1)
    _fits(counts[plain], shapes[plain], "shape")
    if header.payload == "cam":
        grids, maps = columns["layer_size"], np.diff(columns["map_offset"])
        _require(grids.min() >= 0, "layer_size")
        cells = grids.astype(float).prod(2).sum(1)
        _require(np.all((counts == maps * cells) | (counts == 0)), "layer_size")
        _require(
            not columns["map_class"].size or columns["map_class"].max() < len(header.classes), "map_class"
        )
    if header.payload == "proposal":
        rows = header.attributes["max_proposals"]
        _require(isinstance(rows, int) and 0 <= rows < 65535, "max_proposals")
        _require(np.all((counts == header.sizes.prod(1, dtype=np.int64) + 3 * rows) | (counts == 0)), "shape")
    if header.payload == "box":
        named = header.attributes["columns"]
        _require(isinstance(named, list | tuple) and len(named) >= 4, "columns")
        _require(np.all(counts % len(named) == 0), "shape")
    if "window" in columns:
        window = columns["window"].astype(float)
        _require(np.all(window >= 0) and np.all(window[:, 2:] >= window[:, :2]), "window")
        areas = np.concatenate([[0], np.cumsum((window[:, 2:] - window[:, :2]).prod(1))])
        bounds = columns["box_offset"]
        _require(np.all((counts == areas[bounds[1:]] - areas[bounds[:-1]]) | (counts == 0)), "window")


def _fits(counts: np.ndarray, shapes: np.ndarray, name: str) -> None:
    """In floating point too: in int64 alone, damaged shapes could wrap around to the right number."""
    exact, rough = shapes.prod(1, dtype=np.int64), shapes.astype(float).prod(1)
    _require(np.all(((counts == exact) & (np.abs(counts - rough) < 1)) | (counts == 0)), name)
