"""Copy records to another file or to a stream."""

from __future__ import annotations

import sys
from pathlib import Path

from wsstool.store.input.reader import Reader
from wsstool.store.output.create import create
from wsstool.types import SILENT, Messages


def copy(reader: Reader, output: Path | None, *, force: bool = False, messages: Messages = SILENT) -> None:
    """Copy the records of ``reader`` unchanged, in stream form; the layout of the input does not matter."""
    header = reader.header
    with create(
        header,
        output,
        force=force,
        max_failed=sys.maxsize,
        messages=messages,
        cached=False,
        reading=[reader],
    ) as writer:
        for record in reader.records(writer.start):
            writer.write(record.data)
        if not writer.done:
            writer.tail |= {name: reader.tail[name] for name in writer.tail}
