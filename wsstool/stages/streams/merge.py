"""Merge shards of a dataset into the file that a single run would have made."""

from __future__ import annotations

import heapq
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.atomic import check_no_input_is_written
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.options.groups import check_record_name
from wsstool.store.schema import COMMON_HEAD, KINDS, OF_A_SHARD
from wsstool.types import SILENT, Messages

_OF_A_PART = ("data", "input", "expressions", "boxes", "contour")


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
        parts = sorted(zip(found, sources, strict=True), key=lambda part: part[0].header.images[:1])
        readers, names = [reader for reader, _ in parts], [name for _, name in parts]
        headers = [reader.header for reader in readers]
        _check_alike(headers, names, messages)
        _check_shards(headers, names, partial)
        order = _order(headers, names)
        header = _header(headers, names, order)
        with store.create(
            header,
            output,
            force=force,
            max_failed=sys.maxsize,
            messages=messages,
            cached=False,
            reading=readers,
        ) as writer:
            records = [reader.records() for reader in readers]
            for place, (part, _) in enumerate(order):
                record = next(records[part])
                if place >= writer.start:
                    writer.write(record.data)
            for rest in records:
                next(rest, None)  # compares the checksum, and reads the tail
            if not writer.done:
                columns = {**KINDS[header.payload].tail, "status": ("", "image", "")}
                for name, (_, index, _) in columns.items():
                    tails = [reader.tail[name] for reader in readers]
                    writer.tail[name][...] = _gather(headers, order, index, tails.__getitem__)
                machines = [reader.tail["environment"] for reader in readers]
                if len({one.tobytes() for one in machines}) == 1:
                    writer.tail["environment"] = machines[0]
            failed = writer.failed
        return {"images": len(header), "failed": failed, "key": header.key}


def _check_alike(headers: Sequence[store.Header], names: Sequence[str], messages: Messages) -> None:
    first = headers[0]
    for header, name in zip(headers[1:], names[1:], strict=True):
        pairs = {
            "kind": (first.payload, header.payload),
            "stage": (first.stage, header.stage),
            "version of wsstool": (_version(first), _version(header)),
            "options": (_options(first), _options(header)),
            "classes": (first.classes, header.classes),
            "number format": (first.dtype, header.dtype),
            "attributes": (first.attributes, header.attributes),
            "columns": (set(first.columns), set(header.columns)),
        }
        different = [what for what, (one, other) in pairs.items() if one != other]
        different += _different_inputs(first, header)
        if different:
            raise BadInputError(
                f"'{name}' and '{names[0]}' differ in {different[0]}; "
                "only parts of the same run can be merged"
            )
        if header.image_root != first.image_root:
            messages.warn(f"'{name}' was made from '{header.image_root}', not from '{first.image_root}'")


def _version(header: store.Header) -> str:
    return next((step["version"] for step in header.provenance if step["key"] == header.key), "")


def _options(header: store.Header) -> dict[str, Any]:
    return {name: value for name, value in header.params.items() if name != "shard"}


def _different_inputs(one: store.Header, other: store.Header) -> list[str]:
    """Return the roles of inputs that should be common to all parts and are not.

    Images, the records of those, and the boxes, sentences and contour maps of them belong to a part.
    """

    def of_role(header: store.Header, role: str) -> list[Any]:
        return [given for given in header.inputs if given["role"] == role]

    roles = {given["role"] for given in (*one.inputs, *other.inputs)} - {*_OF_A_PART}
    return [role for role in sorted(roles) if of_role(one, role) != of_role(other, role)]


def _shard(header: store.Header) -> tuple[int, int] | None:
    """Return the shard of a file, or the shard that it was made from; None: unknown."""
    found = {header.params["shard"]} if header.params.get("shard") else set()
    for step in header.provenance:
        words = shlex.split(step["command"])
        found |= {words[k + 1] for k, word in enumerate(words[:-1]) if word == "--shard"}
    return store.parse_shard(found.pop()) if len(found) == 1 else None


def _check_shards(headers: Sequence[store.Header], names: Sequence[str], partial: bool) -> None:
    shards = [_shard(header) for header in headers]
    known = [shard for shard in shards if shard is not None]
    if len({n for _, n in known}) > 1:
        text = ", ".join(f"'{name}' is {i}/{n}" for name, (i, n) in zip(names, known, strict=False))
        raise BadInputError(f"the inputs were divided into different numbers of shards: {text}")
    missing = sorted(set(range(known[0][1])) - {i for i, _ in known}) if known else []
    if missing and not partial:
        text = ", ".join(f"{i}/{known[0][1]}" for i in missing)
        raise BadInputError(f"shards are missing: {text}; --partial merges the others")


def _order(headers: Sequence[store.Header], names: Sequence[str]) -> list[tuple[int, int]]:
    """Return (part, record) of every output record, sorted by image name."""
    listed = [[(name, p, i) for i, name in enumerate(header.images)] for p, header in enumerate(headers)]
    order: list[tuple[int, int]] = []
    before, before_part = "", 0
    for name, part, i in heapq.merge(*listed):
        if name == before:
            raise BadInputError(f"image '{name}' is in both '{names[before_part]}' and '{names[part]}'")
        before, before_part = name, part
        order.append((part, i))
    return order


def _gather(
    headers: Sequence[store.Header],
    order: Sequence[tuple[int, int]],
    index: str,
    column: Callable[[int], np.ndarray],
) -> np.ndarray:
    """Return the rows of a column of all parts (``column(part)``) in the order of the output."""
    base = index.partition(" ")[0]
    return np.concatenate([column(part)[headers[part].rows(i, base)] for part, i in order])


def _header(
    headers: Sequence[store.Header], names: Sequence[str], order: Sequence[tuple[int, int]]
) -> store.Header:
    """Build the header of a single run; the key and the last step of the history record the merge."""
    first, kind = headers[0], KINDS[headers[0].payload]

    def gathered(name: str, index: str) -> np.ndarray:
        return _gather(headers, order, index, lambda part: headers[part].columns[name])

    columns = {}
    for name, (_, index, _) in kind.head.items():
        if name not in first.columns:
            continue
        if index == "image + 1":
            counts = [np.diff(header.columns[name]) for header in headers]
            columns[name] = np.concatenate([[0], np.cumsum([counts[part][i] for part, i in order])])
        else:
            columns[name] = gathered(name, index)
    for name in set(first.columns) - set(kind.head) - set(COMMON_HEAD):
        if all(len(header.columns[name]) == len(header) for header in headers):
            columns[name] = gathered(name, "image")
    elements = [np.diff(header.offsets) for header in headers]
    inputs = [header.as_input(path=name) for header, name in zip(headers, names, strict=True)]
    merged = store.new_header(
        first.payload,
        stage="merge",
        params={},
        inputs=inputs,
        images=[headers[part].images[i] for part, i in order],
        sizes=gathered("size", "image"),
        shapes=gathered("shape", "image"),
        elements=np.array([elements[part][i] for part, i in order]),
        classes=first.classes,
        labels=gathered("label", "image") if first.labels is not None else None,
        image_root=first.image_root,
        columns=columns,
        attributes={name: value for name, value in first.attributes.items() if name not in OF_A_SHARD},
        dtype=first.dtype,
    )
    params = {name: None if name == "shard" else value for name, value in first.params.items()}
    return replace(merged, stage=first.stage, params=params)
