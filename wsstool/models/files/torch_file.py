"""Files of torch: written whole or not at all, read without running foreign code."""

from __future__ import annotations

import argparse
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsstool.atomic import atomic_file
from wsstool.errors import BadInputError, MissingInputError
from wsstool.memory import check_zip_budget

SAFE_GLOBALS = [
    argparse.Namespace,
    np._core.multiarray.scalar,  # type: ignore[attr-defined]
    np.dtype,
    np.ndarray,
    np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # type: ignore[attr-defined]
    *(type(np.dtype(t)) for t in (*np.typecodes["AllInteger"], "f2", "f4", "f8", "?", "U")),
]
"""What a weights file may contain besides tensors and containers, also under the names of numpy 1."""

_FOLDER = 0x10
"""Attribute of a member of a zip that DOS takes for a folder."""


def save_atomically(content: Any, path: Path) -> None:
    """Write ``content`` with ``torch.save``, completely or not at all.

    Raises:
        CannotWriteError: no space, no permission, no such folder; the old file stays as it was.
    """
    with atomic_file(path) as part, open(part, "wb") as file:
        torch.save(content, file)  # given a path, it would write the temporary name into the file


def load_safely(path: Path | str) -> Any:
    """Read a file of ``torch.save`` that contains only tensors, plain containers and ``SAFE_GLOBALS``.

    Raises:
        MissingInputError: no such file.
        BadInputError: truncated, damaged, another file format, or it contains objects that could run code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError(f"no weights file {path}")
    try:
        if zipfile.is_zipfile(path):  # torch itself does not verify the checksums
            with zipfile.ZipFile(path) as archive:
                check_zip_budget(path, archive.infolist(), str(path))
                folders = [one.filename for one in archive.infolist() if one.file_size and _is_folder(one)]
                broken = archive.testzip()
            if folders:
                raise BadInputError(f"{path} is damaged: {folders[0]} is marked as a folder")
            if broken:
                raise BadInputError(f"{path} is damaged: the checksum of {broken} does not match")
        with torch.serialization.safe_globals(SAFE_GLOBALS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickle protocols; unsafe content is rejected below
            return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise MissingInputError(f"cannot read {path}: {error.strerror}") from error
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise BadInputError(
                f"{path} contains Python objects other than tensors and was not opened, for safety"
            ) from error
        raise BadInputError(f"{path} is damaged or not a weights file") from error
    except BadInputError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise BadInputError(f"{path} is truncated, damaged or not a weights file") from error


def _is_folder(member: zipfile.ZipInfo) -> bool:
    """Return whether torch takes a member for a folder: it then leaves the memory of a tensor as it was."""
    return member.is_dir() or bool(member.external_attr & _FOLDER)
