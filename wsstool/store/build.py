"""Build the header of a record file that is about to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsstool.errors import UsageError
from wsstool.store.checks import check_columns, check_names
from wsstool.store.header import Header
from wsstool.store.provenance import Input, history, key_of
from wsstool.store.schema import KINDS
from wsstool.types import ClassList


def new_header(
    payload: str,
    *,
    stage: str,
    params: Mapping[str, Any],
    inputs: Sequence[Input],
    images: Sequence[str],
    sizes: np.ndarray,
    shapes: np.ndarray,
    classes: ClassList,
    elements: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    image_root: object = "",
    columns: Mapping[str, np.ndarray] | None = None,
    attributes: Mapping[str, Any] | None = None,
    dtype: str | None = None,
) -> Header:
    """Build the header of a file that is about to be written.

    Args:
        payload: kind of file, one of ``schema.KINDS``.
        stage: the command that writes it.
        params: resolved options that change the result; they are part of the key.
        inputs: inputs of the stage.
        images: N names relative to the data folder, sorted and unique.
        sizes: (N, 2) rows and columns; (0, 0) marks an unreadable image.
        shapes: (N, 3) shape of each record.
        classes: the class list.
        elements: (N,) payload elements of each record; default: the product of ``shapes``.
        labels: (N, C) uint8 image-level labels, if known.
        image_root: data folder as typed.
        columns: further head columns of the kind (``map_class`` ...).
        attributes: further root attributes of the kind (``layers`` ...).
        dtype: of the payload; default: the kind's first.
    Raises:
        UsageError: no images, and not a shard.
        BadInputError: names that are not sorted, not unique or lead out of the data folder.
        ValueError: columns of inconsistent shapes.
    """
    is_part = bool(params.get("shard")) or any("key" in one.identity for one in inputs)
    if not len(images) and not is_part:  # a shard of a small data set may be empty
        raise UsageError(f"{stage}: there are no images")
    check_names(images)
    kind = KINDS[payload]
    shapes = np.asarray(shapes, np.int32).reshape(-1, 3)
    counts = np.prod(shapes, axis=1, dtype=np.int64) if elements is None else np.asarray(elements, np.int64)
    encoded = [name.encode() for name in images]
    all_columns: dict[str, np.ndarray] = {
        "image": np.array(encoded, f"S{max(map(len, encoded), default=1)}"),
        "size": np.asarray(sizes, np.int32).reshape(-1, 2),
        "offset": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "shape": shapes,
    }
    if labels is not None:
        all_columns["label"] = np.asarray(labels, np.uint8)
    for name, column in (columns or {}).items():
        known = kind.head.get(name)
        all_columns[name] = np.asarray(column, known[0] if known else None)
    header = Header(
        payload=payload,
        dtype=dtype or kind.dtypes[0],
        stage=stage,
        key=key_of(stage, params, inputs),
        params=dict(params),
        classes=classes,
        image_root=str(image_root or ""),
        inputs=[{"role": one.role, **one.identity} for one in inputs],
        provenance=history(stage, params, inputs),
        columns=all_columns,
        attributes=dict(attributes or {}),
    )
    check_columns(header)
    return header
