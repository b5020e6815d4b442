"""What an output may replace: an earlier result of the same kind or the ruin of one, nothing else."""

from __future__ import annotations

from pathlib import Path

from wsstool.errors import CannotWriteError, WsstoolError
from wsstool.store.header import Header
from wsstool.store.reader import SIGNATURE, open_records


def refuse_strangers(target: Path, header: Header, name: str) -> None:
    """Raise CannotWriteError if ``target`` exists and was not made by the same stage as ``header``.

    An empty file and a damaged HDF5 file (what ``>`` leaves of a killed run) may be replaced; a file of
    another program, another kind or another stage may be the input itself, or somebody's work.
    """
    if not target.exists() or target.stat().st_size == 0:
        return
    with open(target, "rb") as file:
        if not file.read(8).startswith(SIGNATURE):
            raise CannotWriteError(
                f"'{name}' exists and is no file of wsstool; remove it first, or use --force"
            )
    try:
        with open_records(target) as reader:
            old = reader.header
    except WsstoolError as error:
        if "did not write it" in str(error):
            raise CannotWriteError(f"{error}; remove it first, or use --force") from None
        return
    if (old.payload, old.stage) != (header.payload, header.stage):
        raise CannotWriteError(
            f"'{name}' holds the {old.payload} of '{old.stage}' and not the {header.payload} of "
            f"'{header.stage}'; remove it first, or use --force"
        )
