"""Read what a written network says about itself, without its weights."""

from __future__ import annotations

import json
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wsstool.errors import BadInputError, MissingInputError

PT2 = "wsstool.json"
"""Name of the description among the extra files of a pt2 archive."""


def read_description(path: Path) -> dict[str, Any]:
    """Return the description in a file of ``export``: ``task``, ``arch``, ``inputs``, ``outputs``, ...

    Raises:
        MissingInputError: no such file, or an ONNX file without the package that reads it.
        BadInputError: damaged, another format, or not written by wsstool.
    """
    if not path.is_file():
        raise MissingInputError(f"no network file {path}")
    try:
        found = _of_onnx(path) if path.suffix == ".onnx" else _of_pt2(path)
    except MissingInputError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise BadInputError(f"{path} is damaged or not a network written by wsstool") from error
    if "made_by" not in found:
        raise BadInputError(f"{path} is a network, but wsstool did not write it")
    return found


def _of_pt2(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        (name,) = (one for one in archive.namelist() if one.rpartition("/")[2] == PT2)
        return json.loads(archive.read(name))


def _of_onnx(path: Path) -> dict[str, Any]:
    if find_spec("onnx") is None:
        raise MissingInputError(f"reading {path} needs onnx: pip install wsstool[onnx]")
    model = import_module("onnx").load(path, load_external_data=False)
    return {one.key: _value(one.value) for one in model.metadata_props}


def _value(text: str) -> Any:
    """Return a value as it was before it became a text: only texts are stored as they are."""
    try:
        return json.loads(text)
    except ValueError:
        return text
