"""Budgets of memory: what a file claims is compared with its length before anything is allocated for it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import h5py

_SMALL, _PACKED = 16 << 20, 1100  #: bytes allowed for any file; maximum compression ratio of deflate
_ATTRIBUTE = 256 << 20


def excess(columns: Mapping[str, h5py.Dataset], payload: str, length: int) -> str | None:
    """Return what is wrong with the claims of a file, as part of a sentence; None: nothing.

    All columns together are read at once, the payload record by record.

    Args:
        columns: by name.
        payload: name of the streamed dataset.
        length: of the file in bytes.
    """
    claimed = stored = 0
    for name, dataset in columns.items():
        size = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
        there = min(dataset.id.get_storage_size(), length)
        if claims_too_much(dataset, length) or dataset.dtype.kind not in "iufbS":
            return f"is damaged: '{dataset.name}' cannot have its stated size"
        if dataset.external or dataset.is_virtual:
            return f"stores '{dataset.name}' in another file, which is not supported"
        if name != payload:
            claimed, stored = claimed + size, stored + there
    if claimed > _SMALL + _PACKED * min(stored, length):
        return f"is damaged: its columns claim {claimed >> 20} MiB, more than a file of its length can hold"
    return None


def claims_too_much(dataset: h5py.Dataset, length: int) -> bool:
    """Whether a dataset, or one of its chunks, is larger than a file of ``length`` bytes can hold."""
    size = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
    chunk = math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    return max(size, chunk) > max(_SMALL, _PACKED * min(dataset.id.get_storage_size(), length))


def check_attributes(file: h5py.File) -> None:
    """Raise ValueError if an attribute claims more memory than a header needs."""
    for name in file.attrs:
        kind = file.attrs.get_id(name)
        if math.prod(kind.shape or ()) * kind.dtype.itemsize > _ATTRIBUTE:
            raise ValueError(f"attribute '{name}' cannot have its stated size")
