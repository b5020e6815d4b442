"""Columns of an open HDF5 file, and which of them stand before and after the payload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from wsstool.store.schema import COMMON_HEAD, COMMON_TAIL, KINDS


def stored_text(one: str) -> str:
    """Return a text as it comes back from a column."""
    return one.encode(errors="replace").rstrip(b"\0").decode()


def text_column(texts: Sequence[str]) -> np.ndarray:
    """Return (B,) fixed-length UTF-8; characters that have no UTF-8 form become ``?``.

    Example:
        >>> text_column(["red car", "é"]).tolist()
        [b'red car', b'\\xc3\\xa9']
    """
    encoded = [stored_text(one).encode() for one in texts]
    return np.array(encoded, f"S{max([1, *map(len, encoded)])}")


def text(value: Any) -> Any:
    """Return the value of an attribute, bytes as str."""
    return value.decode() if isinstance(value, bytes) else value


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the columns by name, without links into other files; ``Group.get`` would hide damaged ones."""
    hard = [name for name in file if file.id.links.get_info(name.encode()).type == h5py.h5l.TYPE_HARD]
    return {name: file[name] for name in hard if isinstance(file[name], h5py.Dataset)}


def names(
    payload: str, columns: dict[str, h5py.Dataset], in_order: bool = True
) -> tuple[list[str], list[str]]:
    """Return head and tail columns. Unknown ones are assigned by position, by default to the head."""
    kind = KINDS[payload]
    start = columns[payload].id.get_offset() if in_order else None
    heads: list[str] = []
    tails: list[str] = []
    for name, dataset in columns.items():
        offset = dataset.id.get_offset() if in_order else None
        known_tail = name in kind.tail or name in COMMON_TAIL or name in ("environment", "crc32")
        known = name in kind.head or name in COMMON_HEAD
        behind = offset is not None and start is not None and offset > start
        if name != payload:
            (tails if known_tail or (behind and not known) else heads).append(name)
    return heads, tails


def is_stream_form(
    columns: dict[str, h5py.Dataset], payload: str, heads: Sequence[str], tails: Sequence[str]
) -> bool:
    """Whether the bytes are in reading order: metadata and head columns, contiguous payload, tail."""
    offset = {name: dataset.id.get_offset() for name, dataset in columns.items()}
    if "crc32" not in tails or offset["crc32"] is None:
        return False
    if any(d.chunks is not None or (d.size and offset[name] is None) for name, d in columns.items()):
        return False
    behind = [offset[name] for name in tails if offset[name] is not None]
    start = offset[payload] if offset[payload] is not None else min(behind)
    end = start + columns[payload].id.get_storage_size()
    before = [
        offset[name] + columns[name].id.get_storage_size() for name in heads if offset[name] is not None
    ]
    metadata = [h5py.h5o.get_info(dataset.id).addr for dataset in columns.values()]
    return max([*before, *metadata]) <= start and min(behind) >= end
