"""MATLAB 7.3 files, which are HDF5: arrays are transposed, cells are references."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wsstool.errors import BadInputError, MissingInputError
from wsstool.store.input.extents import claims_too_much


def read_mat73(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Read variables of a MATLAB 7.3 file.

    Args:
        path: the file.
        names: variables; missing ones are left out.

    Returns:
        Arrays as displayed by MATLAB; for a cell array a list of flat arrays.
    Raises:
        MissingInputError: there is no such file.
        BadInputError: not HDF5, or damaged.
    """
    found: dict[str, Any] = {}
    try:
        with h5py.File(path, "r", locking=False) as file:
            for name in names:
                if name not in file:
                    continue
                data = _read(file[name], file)
                if h5py.check_dtype(ref=file[name].dtype) is h5py.Reference:
                    found[name] = [
                        np.asarray(_read(file[one], file)).reshape(-1) for one in data.T.reshape(-1)
                    ]
                else:
                    found[name] = np.asarray(data).T
    except FileNotFoundError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise BadInputError(f"'{path}' is not a readable MATLAB file ({error})") from None
    return found


def _read(dataset: h5py.Dataset, file: h5py.File) -> Any:
    if claims_too_much(dataset, file.id.get_filesize()):
        raise ValueError(f"'{dataset.name}' cannot have its stated size")
    return dataset[()]
