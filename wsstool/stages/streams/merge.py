"""Merge shards of a dataset into the file that a single run would have made."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.atomic import check_no_input_is_written
from wsstool.errors import UsageError
from wsstool.stages.options.groups import check_record_name
from wsstool.types import SILENT, Messages


def merge(
    sources: Sequence[str],
    *,
    output: Path | None = None,
    partial: bool = False,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Merge record files of one kind, made with equal options from different images, sorted by name.

    The inputs are read side by side, one record of each at a time. Their order makes no difference.

    Args:
        sources: paths; one of them may be ``-``.
        output: target; None: standard output.
        partial: accept missing shards (``--shard i/n`` of the inputs tells how many there are).
        force: see ``store.create``.
    Returns:
        ``images``, ``failed`` (names of the images that failed in the parts) and ``key``.
    Raises:
        UsageError: no inputs, or the output is one of them.
        BadInputError: inputs that differ in kind, stage, version, options, classes or weights; an image in
            two of them; a missing shard.
    """
    if not sources:
        raise UsageError("name at least one file to merge")
    check_record_name(output)
    check_no_input_is_written(output, sources)
    with ExitStack() as stack:
        files = store.OpenFiles()
        found = [
            stack.enter_context(store.open_records(one, command="merge", files=files)) for one in sources
        ]
        reader = store.SeveralReader(found, sources, partial=partial, messages=messages)
        header = reader.header
        with store.create(
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
                writer.tail |= {name: reader.tail[name] for name in writer.tail if name in reader.tail}
            failed = writer.failed
        return {"images": len(header), "failed": failed, "key": header.key}
