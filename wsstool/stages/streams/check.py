"""Check the integrity of record files: structure, record table and length, or every byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.types import SILENT, Messages


def check(sources: list[str], *, full: bool = False, messages: Messages = SILENT) -> dict[str, Any]:
    """Check each file; the first error is raised after all files have been checked.

    Args:
        sources: paths, or ``-``.
        full: read everything and compare the checksum; otherwise only structure, record table and length of a
            file. What comes through a pipe is always read in full.

    Returns:
        ``files``: one ``{file, images, kind, full, failed}`` each; ``full`` is whether everything was read,
        ``failed`` the number of failed images, None without ``full``.

    Raises:
        BadInputError, MissingInputError: for the first bad file; all bad files are named in the messages.
    """
    found, errors = [], []
    for source in sources or ["-"]:
        try:
            found.append(_check_one(source, full))
        except WsstoolError as error:
            errors.append(error)
            if len(sources) > 1:
                messages.warn(str(error))
    if errors:
        raise errors[0]
    return {"files": found}


def _check_one(source: str, full: bool) -> dict[str, Any]:
    full = full or source == "-" or not Path(source).is_file()
    with store.open_records(source, command="check", header_only=not full) as reader:
        header = reader.header
        if full:
            for record in reader.records():
                if header.payload == "proposal" and not record.failed:
                    _ = record.proposals
                elif header.payload == "box":
                    _ = record.boxes
            failed = int(np.sum(reader.tail["status"] == 2))
        else:
            failed = None
            if reader.streamed:
                with open(source, "rb") as file:
                    size = file.seek(0, 2)
                    file.seek(-4, 2)
                    if size != reader.size or file.read(4) == b"\0\0\0\0":
                        raise BadInputError(
                            f"'{source}' is incomplete: {size} of {reader.size} bytes, or missing checksum"
                        )
        return {"file": source, "kind": header.payload, "images": len(header), "full": full, "failed": failed}
