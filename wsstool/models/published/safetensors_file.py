"""Read safetensors files without the package: a JSON header, then the raw values of dense tensors.

A file consists of the length of the header (8 bytes, little-endian), the header, and the values. The header
maps each name to ``dtype``, ``shape`` and ``data_offsets`` (begin and end within the values).
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from wsstool.errors import BadInputError

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""The element types, by name."""

METADATA = "__metadata__"
"""Entry of the header that is no tensor."""


def is_safetensors(path: Path | str) -> bool:
    """Whether a file starts as a safetensors file does: the length of a JSON header that fits into it."""
    try:
        with open(path, "rb") as file:
            start = file.read(9)
        return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= os.path.getsize(path) - 8
    except OSError:
        return False


def read_safetensors(path: Path | str) -> dict[str, Tensor]:
    """Read all tensors.

    Raises:
        BadInputError: truncated or damaged.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            size = os.path.getsize(path) - 8 - length
            return {
                str(name): _tensor(file, 8 + length, size, entry)
                for name, entry in header.items()
                if name != METADATA
            }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError) as error:
        raise BadInputError(f"{path} is truncated, damaged or not a weights file ({error})") from error


def _tensor(file: BinaryIO, start: int, size: int, entry: dict[str, Any]) -> Tensor:
    """Read one tensor of a file whose ``size`` bytes of values begin at ``start``."""
    dtype, shape = TYPES[entry["dtype"]], [int(n) for n in entry["shape"]]
    begin, end = (int(n) for n in entry["data_offsets"])
    if not 0 <= begin <= end <= size or min(shape, default=0) < 0:
        raise ValueError("a tensor lies outside of the file")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError("the length of a tensor does not fit its shape")
    if begin == end:
        return torch.empty(shape, dtype=dtype)
    file.seek(start + begin)
    return torch.frombuffer(bytearray(file.read(end - begin)), dtype=dtype).reshape(shape)
