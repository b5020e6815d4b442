"""Suppress proposals, streaming one ``proposal`` file to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.nms import run
from wsstool.stages.options.nms import NmsOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.types import Messages

METHODS = ("greedy", "fast", "cluster")
"""Rules that keep or drop; proposals have an order but no scores to decay, and no coordinates to average."""


def suppress_proposals(
    reader: store.Reader,
    source: object,
    params: dict[str, Any],
    run_options: dict[str, Any],
    options: NmsOptions,
    messages: Messages,
) -> dict[str, Any]:
    """Suppress proposals by the overlap of their pixels, the best first; the merge tree stays as it is.

    Raises:
        UsageError: a rule or an option that needs scores or boxes.
    """
    header = reader.header
    if options.method not in METHODS:
        raise UsageError(
            f"--method {options.method} needs scores, but proposals are only ranked; choose from "
            f"{', '.join(METHODS)}"
        )
    if options.score_threshold is not None:
        raise UsageError("--score-threshold needs scores, but proposals are only ranked; use --top-before")
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
    counts = _Counts()
    with create(made, options, messages, [reader]) as writer:
        results = counts.payloads(reader.records(writer.start), run_options)
        write_all(writer, results, messages, "images")
    before, after = counts.before, counts.after
    messages.say(f"kept {after} of {before} proposals")
    done = {"images": len(header), "proposals": before, "kept": after}
    return {**done, "failed": writer.failed, "key": made.key}


@dataclass
class _Counts:
    """Proposals before and after the suppression."""

    before: int = 0
    after: int = 0

    def payloads(
        self, records: Iterable[store.Record], options: dict[str, Any]
    ) -> Iterator[Payload | WsstoolError]:
        for record in records:
            if record.failed:
                yield BadInputError("failed in an earlier stage")
                continue
            count = len(record.proposals)
            try:
                found = run(record.proposals, np.arange(count, 0, -1.0), **options)
            except ValueError as error:
                raise UsageError(str(error)) from error
            data = record.data.reshape(-1).copy()
            rows = data[record.size[0] * record.size[1] :].reshape(-1, 3)
            proposals = np.flatnonzero(rows[:, 2] == 1)
            rows[np.delete(proposals, found.keep), 2] = 0
            self.before, self.after = self.before + count, self.after + len(found)
            yield Payload(data)
