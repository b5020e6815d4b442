"""Thin out proposals: a streamed ``proposal`` file in and out; what is suppressed is no proposal any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import UsageError
from wsstool.nms import run
from wsstool.types import Messages

METHODS = ("greedy", "fast", "cluster")
"""Rules that keep or drop; proposals have an order but no scores to decay, and no coordinates to average."""


def thin_proposals(
    reader: store.Reader,
    source: object,
    params: dict[str, Any],
    options: dict[str, Any],
    *,
    output: Path | None,
    max_failed: int,
    force: bool,
    messages: Messages,
) -> dict[str, Any]:
    """Suppress proposals by the overlap of their pixels, the best first; the merge tree stays as it is.

    Raises:
        UsageError: a rule or an option that needs scores or boxes.
    """
    header = reader.header
    if options["method"] not in METHODS:
        raise UsageError(
            f"--method {options['method']}: proposals have an order, no scores; for them there is "
            f"{', '.join(METHODS)}"
        )
    if options["score_threshold"] is not None:
        raise UsageError("--score-threshold: proposals have an order but no scores; --top-before counts them")
    made = store.new_header(
        "proposal",
        stage="nms",
        params=params,
        inputs=[header.as_input(path=source)],
        images=header.images,
        sizes=header.sizes,
        shapes=header.shapes,
        elements=np.diff(header.offsets),
        classes=header.classes,
        labels=header.labels,
        image_root=header.image_root,
        attributes={"max_proposals": header.attributes["max_proposals"]},
    )
    before = after = 0
    with store.create(made, output, force=force, max_failed=max_failed, messages=messages) as writer:
        with messages.track(len(header) - writer.start, "images") as advance:
            for record in reader.records():
                if record.index < writer.start or writer.done:
                    continue
                if record.failed:
                    writer.fail("failed in an earlier stage")
                    advance()
                    continue
                data = record.data.reshape(-1).copy()
                proposals = record.proposals
                count = len(proposals)
                try:
                    found = run(proposals, np.arange(count, 0, -1.0), **options)
                except ValueError as error:
                    raise UsageError(str(error)) from error
                rows = data[record.size[0] * record.size[1] :].reshape(-1, 3)
                at = np.flatnonzero(rows[:, 2] == 1)
                rows[np.delete(at, found.keep), 2] = 0
                before, after = before + count, after + len(found)
                writer.write(data)
                advance()
        failed = writer.failed
    messages.say(f"{after} of {before} proposals are left")
    return {"images": len(header), "proposals": before, "kept": after, "failed": failed, "key": made.key}
