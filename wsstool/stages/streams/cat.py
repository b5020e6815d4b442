"""Copy a record file in any layout to stream form, or compress it for archiving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.atomic import check_no_input_is_written
from wsstool.stages.options.groups import check_record_name
from wsstool.store.output.archive import write_compressed
from wsstool.types import SILENT, Messages


def cat(
    source: object = None,
    *,
    output: Path | None = None,
    compress: str | None = None,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Read a record file from any source and write it again.

    A file whose header another program changed in place, such as an attribute by h5py, is laid out anew.

    Args:
        source: path, ``-`` or None for standard input.
        output: target; None: standard output.
        compress: None: stream form, byte-identical for equal content; ``gzip``: compressed chunks with their
            own checksums, about 20 times smaller for masks, readable by every HDF5 program and every stage.
    Returns:
        ``images``: number of records.
    """
    check_record_name(output)
    check_no_input_is_written(output, [source])
    with store.open_records(source, command="cat", accept_changed=True) as reader:
        if compress is None:
            store.copy(reader, output, messages=messages)
        else:
            write_compressed(reader, output)
        if reader.changed:
            messages.warn(
                f"{reader.name} was changed in place by another program, so that no checksum vouches for its "
                "records; the copy has one of its own"
            )
        return {"images": len(reader.header)}
