"""Refuse to overwrite anything but an earlier (possibly damaged) result of the same stage."""

from __future__ import annotations

from pathlib import Path

from wsstool.errors import CannotWriteError, WsstoolError
from wsstool.store.header import Header
from wsstool.store.input.opened import SIGNATURE
from wsstool.store.input.opening import open_records
from wsstool.store.provenance import canonical_json, changed


def check_replaceable(target: Path, header: Header, name: str) -> None:
    """Raise CannotWriteError if ``target`` exists and was not made by the same stage as ``header``.

    An empty file and a damaged HDF5 file (left by a killed run with ``>``) may be replaced; a file of another
    program, another kind or another stage may be the input itself, or somebody's work.
    """
    if not target.exists() or target.stat().st_size == 0:
        return
    with open(target, "rb") as file:
        if not file.read(8).startswith(SIGNATURE):
            raise CannotWriteError(
                f"'{name}' exists and is not a wsstool file; remove it first, or use --force"
            )
    try:
        with open_records(target, header_only=True) as reader:
            old = reader.header
    except WsstoolError as error:
        if "did not write it" in str(error):
            raise CannotWriteError(f"{error}; remove it first, or use --force") from None
        return
    if (old.payload, old.stage) != (header.payload, header.stage):
        raise CannotWriteError(
            f"'{name}' is a {old.payload} file from '{old.stage}', not a {header.payload} file from "
            f"'{header.stage}'; remove it first, or use --force"
        )


def difference(old: Header, new: Header) -> str:
    """Return why a file with header ``old`` is not the result that ``new`` describes; '' if it is.

    The key decides; columns are compared too, so that images, tags or classes missing from a stage's key are
    noticed as well. Typed paths (``image_root``, paths in commands) make no difference.
    """
    if old.stage != new.stage or old.payload != new.payload:
        return f"it is a {old.payload} file from '{old.stage}'"
    if old.key != new.key:
        parts = [part] if (part := changed(old.params, new.params)) else []
        known = {canonical_json(one) for one in old.inputs}
        roles = sorted({one["role"] for one in new.inputs if canonical_json(one) not in known})
        parts += [f"different {role}" for role in roles]
        return ", ".join(parts) or "a different version of the stage, or fewer inputs"
    if old.classes != new.classes:
        return "different classes"
    if old.images != new.images:
        return "different images"
    for name in sorted({*old.columns, *new.columns}):
        if name not in old.columns or name not in new.columns:
            return f"column {name} was added or removed"
        one, other = old.columns[name], new.columns[name]
        if one.shape != other.shape or one.tobytes() != other.tobytes():
            return f"column {name} changed"
    return ""
