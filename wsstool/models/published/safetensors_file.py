"""Files of the format safetensors, in which hubs of networks publish weights."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from wsstool.errors import BadInputError, UsageError


def is_safetensors(path: Path | str) -> bool:
    """Return whether a file starts as a safetensors file does: the length of a header in JSON, then this.

    A file whose header is longer than itself is one too if it has the usual name, so that truncated files are
    called so.
    """
    if not os.path.isfile(path):  # opening a pipe waits for its writer
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(9)
        fits = int.from_bytes(start[:8], "little") <= os.path.getsize(path) - 8
    except OSError:
        return False
    return start[8:] == b"{" and (fits or Path(path).suffix == ".safetensors")


def read_safetensors(path: Path | str) -> dict[str, Tensor]:
    """Read all tensors of a file, under their names and on the CPU.

    Raises:
        UsageError: the package safetensors is not installed.
        BadInputError: truncated or damaged.
    """
    if find_spec("safetensors") is None:
        raise UsageError(
            f"'{path}' needs safetensors, which is not installed: pip install safetensors (it comes with "
            "wsstool[timm])"
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadInputError(f"{path} is truncated, damaged or not a weights file ({error})") from error
