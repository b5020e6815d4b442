"""Record files that hold the parts of one run: whether they belong together, and the header of the whole."""

from __future__ import annotations

import heapq
import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from wsstool.errors import BadInputError
from wsstool.store.build import new_header
from wsstool.store.header import Header
from wsstool.store.provenance import canonical_json
from wsstool.store.schema import COMMON_HEAD, KINDS, OF_A_SHARD
from wsstool.store.shard import parse_shard
from wsstool.types import SILENT, Messages

_OF_A_PART = ("data", "input", "expressions", "boxes", "contour")


class Parts:
    """The parts of one run, and the order of their records in the whole.

    Args:
        headers: of the parts, in any order.
        names: of the parts, as typed.
        partial: accept missing shards (``--shard i/n`` of the parts tells how many there are).
        messages: receives a warning about parts made from different folders.

    Attributes:
        header: of the file that ``merge`` makes of them; its key and the last step of its history say so.
        part, record: (N,) int64, for each record of the whole its part, and its number there.

    Raises:
        BadInputError: parts that differ in kind, stage, version, options, classes or weights; an image in two
            of them; a missing shard.
    """

    def __init__(
        self,
        headers: Sequence[Header],
        names: Sequence[str],
        *,
        partial: bool = False,
        messages: Messages = SILENT,
    ) -> None:
        self._headers = headers
        _check_alike(headers, names, messages)
        _check_shards(headers, names, partial)
        self.part, self.record = _order(headers, names)
        starts = np.concatenate([[0], np.cumsum([len(header) for header in headers])])
        self._rows = starts[self.part] + self.record
        self.header = self._whole(names)

    def gather(self, index: str, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Return the rows of a column of all parts in the order of the whole.

        Args:
            index: of the column in the schema.
            columns: of each part.
        """
        base, joined = index.partition(" ")[0], np.concatenate(columns)
        if base not in ("map", "box"):
            return joined[self._rows]
        bounds = [np.diff(header.columns[f"{base}_offset"]) for header in self._headers]
        counts = np.concatenate(bounds)
        firsts = np.concatenate([[0], np.cumsum(counts)])[:-1][self._rows]
        counts = counts[self._rows]
        ends = np.cumsum(counts)
        return joined[np.repeat(firsts - (ends - counts), counts) + np.arange(int(counts.sum()))]

    def _whole(self, names: Sequence[str]) -> Header:
        headers = self._headers
        first, kind = headers[0], KINDS[headers[0].payload]

        def gathered(name: str, index: str) -> np.ndarray:
            return self.gather(index, [header.columns[name] for header in headers])

        columns = {}
        for name, (_, index, _) in kind.head.items():
            if name not in first.columns:
                continue
            if index == "image + 1":
                counts = np.concatenate([np.diff(header.columns[name]) for header in headers])
                columns[name] = np.concatenate([[0], np.cumsum(counts[self._rows])])
            else:
                columns[name] = gathered(name, index)
        for name in set(first.columns) - set(kind.head) - set(COMMON_HEAD):
            if all(len(header.columns[name]) == len(header) for header in headers):
                columns[name] = gathered(name, "image")
        inputs = [header.as_input(path=name) for header, name in zip(headers, names, strict=True)]
        found = new_header(
            first.payload,
            stage="merge",
            params={},
            inputs=inputs,
            images=[headers[p].images[i] for p, i in zip(self.part, self.record, strict=True)],
            sizes=gathered("size", "image"),
            shapes=gathered("shape", "image"),
            elements=np.concatenate([np.diff(header.offsets) for header in headers])[self._rows],
            classes=first.classes,
            labels=gathered("label", "image") if first.labels is not None else None,
            image_root=first.image_root,
            columns=columns,
            attributes={name: value for name, value in first.attributes.items() if name not in OF_A_SHARD},
            dtype=first.dtype,
        )
        params = {name: None if name == "shard" else value for name, value in first.params.items()}
        return replace(
            found,
            stage=first.stage,
            params=params,
            inputs=json.loads(canonical_json(found.inputs)),  # as if read from the file, so that weights
            provenance=json.loads(canonical_json(found.provenance)),  # with this history have equal bytes
        )


def _check_alike(headers: Sequence[Header], names: Sequence[str], messages: Messages) -> None:
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


def _version(header: Header) -> str:
    return next((step["version"] for step in header.provenance if step["key"] == header.key), "")


def _options(header: Header) -> dict[str, Any]:
    return {name: value for name, value in header.params.items() if name != "shard"}


def _different_inputs(one: Header, other: Header) -> list[str]:
    """Return the roles of inputs that should be common to all parts and are not.

    Images, the records of those, and the boxes, sentences and contour maps of them belong to a part.
    """

    def of_role(header: Header, role: str) -> list[Any]:
        return [given for given in header.inputs if given["role"] == role]

    roles = {given["role"] for given in (*one.inputs, *other.inputs)} - {*_OF_A_PART}
    return [role for role in sorted(roles) if of_role(one, role) != of_role(other, role)]


def _shard(header: Header) -> tuple[int, int] | None:
    """Return the shard of a file, or the shard that it was made from; None: unknown."""
    found = {header.params["shard"]} if header.params.get("shard") else set()
    for step in header.provenance:
        words = shlex.split(step["command"])
        found |= {words[k + 1] for k, word in enumerate(words[:-1]) if word == "--shard"}
    return parse_shard(found.pop()) if len(found) == 1 else None


def _check_shards(headers: Sequence[Header], names: Sequence[str], partial: bool) -> None:
    shards = [_shard(header) for header in headers]
    known = [shard for shard in shards if shard is not None]
    if len({n for _, n in known}) > 1:
        text = ", ".join(f"'{name}' is {i}/{n}" for name, (i, n) in zip(names, known, strict=False))
        raise BadInputError(f"the inputs were divided into different numbers of shards: {text}")
    missing = sorted(set(range(known[0][1])) - {i for i, _ in known}) if known else []
    if missing and not partial:
        text = ", ".join(f"{i}/{known[0][1]}" for i in missing)
        raise BadInputError(f"shards are missing: {text}; 'merge --partial' joins the others")


def _order(headers: Sequence[Header], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the part and the number there of every record of the whole, sorted by image name."""
    listed = [[(name, p, i) for i, name in enumerate(header.images)] for p, header in enumerate(headers)]
    parts, records = [], []
    before, before_part = "", 0
    for name, part, i in heapq.merge(*listed):
        if name == before:
            raise BadInputError(f"image '{name}' is in both '{names[before_part]}' and '{names[part]}'")
        before, before_part = name, part
        parts.append(part)
        records.append(i)
    return np.array(parts, np.int64), np.array(records, np.int64)
