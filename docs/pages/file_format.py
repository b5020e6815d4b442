"""The reference of the file format as Markdown, made from the schema that the code itself uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsstool.store.schema import COMMON_HEAD, COMMON_TAIL, FIRST_SCHEMA, KINDS, SENTENCE_SCHEMA, Kind

_ATTRIBUTES = {
    "wsstool_schema": f"{FIRST_SCHEMA}, or {SENTENCE_SCHEMA} in files with the column `sentence`; readers "
    "refuse a larger number than they know and accept unknown attributes and columns",
    "stage": "the command that wrote the file",
    "payload": "the kind of file, and the name of the streamed dataset",
    "key": "32 hex digits: BLAKE2b-128 over schema, stage, its version, `params` and `inputs`",
    "params": "JSON object: the resolved options that change the result",
    "classes": "JSON list of names; the class id is the index",
    "background": "class id of the background, or -1",
    "palette": "JSON list of RGB triples, or empty",
    "image_root": "the data folder as typed; no part of `key`",
    "inputs": "JSON list of `{role, key or fingerprint}`",
    "provenance": "JSON list, oldest first: `{stage, version, command, key, parents}`; no times, no machine",
}


def describe() -> str:
    """The body of the file-format page: attributes, common columns, one section a kind."""
    parts = [
        "## Root attributes",
        _table(("name", "value"), [(f"`{name}`", text) for name, text in _ATTRIBUTES.items()]),
        "## Columns of every kind",
        "Before the payload:",
        _columns(COMMON_HEAD),
        "After it:",
        _columns(
            {
                **COMMON_TAIL,
                "environment": ("S1024", "file", "JSON: versions of what computed; no part of `key`"),
                "crc32": (
                    "uint32",
                    "file",
                    "CRC-32 of every byte before it; the last four bytes of the file",
                ),
            }
        ),
        *(part for kind in KINDS.values() for part in _kind(kind)),
    ]
    return "\n\n".join(parts)


def _kind(kind: Kind) -> list[str]:
    dtypes = " or ".join(f"`{dtype}`" for dtype in kind.dtypes)
    failed = "has no rows" if kind.failed is None else f"is all {kind.failed:g}".replace("nan", "NaN")
    parts = [
        f"## `{kind.payload}`",
        f"Made by `{kind.made_by}`. Record: {kind.record}; {dtypes}. A failed record {failed}.",
    ]
    if kind.attributes:
        parts.append(
            "Attributes: " + ", ".join(f"`{n}` ({text})" for n, text in kind.attributes.items()) + "."
        )
    if kind.head:
        parts += ["Before the payload:", _columns(kind.head)]
    if kind.tail:
        parts += ["After it:", _columns(kind.tail)]
    return parts


def _columns(columns: Mapping[str, tuple[str, str, str]]) -> str:
    rows = [(f"`{name}`", f"`{dtype}`", index, text) for name, (dtype, index, text) in columns.items()]
    return _table(("column", "dtype", "one row for each", "meaning"), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
